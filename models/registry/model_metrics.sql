{{ eiderdown.model_metrics([
    ref('flight_delay_scores'),
    ref('flight_delay_schedule_scores'),
    ref('arrival_delay_minutes_scores'),
]) }}
