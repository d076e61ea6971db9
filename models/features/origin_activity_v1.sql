-- The origin airport's last three hours: how many planes left, how late.
{{ eiderdown.windows(
    ref('flights'),
    entity=['origin'],
    event_at='departed_at',
    features={
        'origin_departures': 'count(*) over 3 hours',
        'origin_mean_departure_delay': 'mean(departure_delay) over 3 hours',
        'origin_share_departed_late': 'mean(departure_delay >= 15) over 3 hours',
        'origin_mean_departure_delay_last_hour': 'mean(departure_delay) over 1 hour',
    }
) }}
