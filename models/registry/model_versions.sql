{{ eiderdown.model_versions([
    ref('flight_delay'),
    ref('flight_delay_weak'),
    ref('flight_delay_schedule'),
    ref('arrival_delay_minutes'),
]) }}
