-- The flights that have not departed at the clock's as_of, with the champion's features as they are known then.
with upcoming as (

    select
        flights.flight_id,
        flights.tailnum,
        flights.carrier,
        flights.flight,
        flights.origin,
        flights.dest,
        flights.distance,
        flights.sched_dep_at,
        clock.as_of as predicted_at
    from {{ ref('flights') }} as flights
    cross join {{ ref('clock') }} as clock
    where flights.departed_at is null and flights.cancelled_at is null

)

{{ eiderdown.model_features('flight_delay', 'upcoming') }}
