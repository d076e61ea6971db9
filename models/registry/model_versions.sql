{{ eiderdown.model_versions([ref('flight_delay'), ref('flight_delay_schedule')]) }}
