{{ eiderdown.model_metrics([
    ref('flight_delay_scores'),
    ref('flight_delay_weak_scores'),
    ref('arrived_late_scores'),
    ref('flight_delay_schedule_scores'),
    ref('arrival_delay_minutes_scores'),
]) }}
