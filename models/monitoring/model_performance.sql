{{ eiderdown.model_performance([ref('flight_delay_served')]) }}
