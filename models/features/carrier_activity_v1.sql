-- The carrier's last six hours, departures and landings together.
with departures as (

    select
        carrier,
        departed_at as event_at,
        departure_delay,
        cast(null as integer) as arrival_delay
    from {{ ref('flights') }}
    where departed_at is not null

),

landings as (

    select
        carrier,
        arrived_at as event_at,
        cast(null as integer) as departure_delay,
        arrival_delay
    from {{ ref('flights') }}
    where arrived_at is not null

),

events as (

    select * from departures
    union all
    select * from landings

),

final as (

    select distinct
        carrier,
        event_at,
        event_at as known_at,
        count(departure_delay) over last_hours as carrier_departures,
        avg(departure_delay) over last_hours as carrier_mean_departure_delay,
        avg(arrival_delay) over last_hours as carrier_mean_arrival_delay,
        avg(cast(arrival_delay >= 15 as integer)) over last_hours as carrier_share_arrived_late
    from events
    window last_hours as (
        partition by carrier order by event_at range between interval 6 hours preceding and current row
    )

)

select * from final
