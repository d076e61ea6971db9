{{ eiderdown.datasets([ref('narrow_choices'), ref('wide_choices')]) }}
