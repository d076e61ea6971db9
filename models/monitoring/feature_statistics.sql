{{ eiderdown.feature_statistics([ref('flight_delay_dataset'), ref('flight_delay_served')]) }}
