-- Landing times are derived from the clock at the destination, delays are reported: they must agree. One flight of the
-- year does not: it landed in the hour that the end of daylight saving repeats.
with disagreeing as (

    select flight_id
    from {{ ref('flights') }}
    where arrival_delay is not null and date_diff('minute', sched_arr_at, arrived_at) <> arrival_delay

)

select count(*) as flights
from disagreeing
having count(*) > 1
