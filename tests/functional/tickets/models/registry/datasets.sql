{{ eiderdown.datasets([ref('answered')]) }}
