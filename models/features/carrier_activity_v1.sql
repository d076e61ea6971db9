-- The carrier's last six hours, departures and landings together.
{% set events %}
    select
        carrier,
        departed_at as event_at,
        departure_delay,
        cast(null as integer) as arrival_delay
    from {{ ref('flights') }}
    union all
    select
        carrier,
        arrived_at as event_at,
        cast(null as integer) as departure_delay,
        arrival_delay
    from {{ ref('flights') }}
{% endset %}

{{ eiderdown.windows(
    events,
    entity=['carrier'],
    features={
        'carrier_departures': 'count(departure_delay) over 6 hours',
        'carrier_mean_departure_delay': 'mean(departure_delay) over 6 hours',
        'carrier_mean_arrival_delay': 'mean(arrival_delay) over 6 hours',
        'carrier_share_arrived_late': 'mean(arrival_delay >= 15) over 6 hours',
    }
) }}
