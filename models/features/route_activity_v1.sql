-- The route's last seven days.
{% set landings %}
    select * from {{ ref('flights') }}
    where arrival_delay is not null
{% endset %}

{{ eiderdown.windows(
    landings,
    entity=['origin', 'dest'],
    event_at='arrived_at',
    features={
        'route_landings': 'count(*) over 7 days',
        'route_mean_arrival_delay': 'mean(arrival_delay) over 7 days',
        'route_share_arrived_late': 'mean(arrival_delay >= 15) over 7 days',
    }
) }}
