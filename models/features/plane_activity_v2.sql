-- Where the plane is and how late it runs: one row for each departure and each landing.
--
-- Version 1 knew a plane only once it had landed. This one sees it leave, and so expects it late while it is airborne.
with departures as (

    select
        tailnum,
        departed_at as event_at,
        dest as airport,
        departure_delay,
        cast(null as integer) as arrival_delay,
        true as is_airborne,
        sched_arr_at + to_minutes(departure_delay) as expected_at
    from {{ ref('flights') }}
    where tailnum is not null and departed_at is not null

),

landings as (

    select
        tailnum,
        arrived_at as event_at,
        dest as airport,
        departure_delay,
        arrival_delay,
        false as is_airborne,
        arrived_at as expected_at
    from {{ ref('flights') }}
    where tailnum is not null and arrived_at is not null

),

events as (

    select * from departures
    union all
    select * from landings

),

-- Of events within one minute the landing counts, and of equals the one that ends later.
last_of_minute as (

    select *
    from events
    qualify row_number() over (
        partition by tailnum, event_at
        order by is_airborne asc, expected_at desc, departure_delay desc, airport asc
    ) = 1

),

final as (

    select
        tailnum,
        event_at,
        event_at as known_at,
        airport,
        is_airborne,
        expected_at,
        departure_delay as last_departure_delay,
        last_value(arrival_delay ignore nulls) over history as last_arrival_delay,
        count(arrival_delay) over last_day as landings_last_day,
        avg(arrival_delay) over last_day as mean_arrival_delay,
        avg(departure_delay) over last_day as mean_departure_delay
    from last_of_minute
    window
        history as (partition by tailnum order by event_at rows between unbounded preceding and current row),
        last_day as (
            partition by tailnum
            order by event_at
            range between interval 24 hours preceding and current row
        )

)

select * from final
