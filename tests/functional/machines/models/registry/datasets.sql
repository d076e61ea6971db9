{{ eiderdown.datasets([ref('stops')]) }}
