{{ eiderdown.datasets([ref('flight_delay_dataset')]) }}
