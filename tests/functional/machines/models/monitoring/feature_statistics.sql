{{ eiderdown.feature_statistics([ref('stops'), ref('will_stop_served'), ref('next_state_served'), ref('next_temperature_served')]) }}
