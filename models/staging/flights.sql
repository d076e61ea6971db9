-- One row per scheduled flight, as far as it is known at the clock's as_of.
--
-- A departure is known when the plane leaves, a landing when it lands. A cancelled flight has neither; the file does
-- not say when it was called off, so it counts as known at its scheduled departure.
with schedule as (

    select
        carrier || flight || '-' || origin || '-' || strftime(
            cast(time_hour as timestamptz) at time zone 'UTC' + to_minutes(minute), '%Y%m%dT%H%MZ'
        ) as flight_id,
        carrier,
        cast(flight as integer) as flight,
        tailnum,
        origin,
        dest,
        cast(distance as integer) as distance,
        cast(time_hour as timestamptz) + to_minutes(minute) as sched_dep_at,
        cast(dep_delay as integer) as dep_delay,
        cast(arr_delay as integer) as arr_delay,
        -- 24:00 is midnight at the end of the day; the day itself is found below.
        to_minutes(sched_arr_time // 100 % 24 * 60 + sched_arr_time % 100) as sched_arr_clock,
        to_minutes(arr_time // 100 % 24 * 60 + arr_time % 100) as arr_clock
    from {{ source('raw', 'flights') }}

),

departed as (

    select
        schedule.*,
        airports.time_zone,
        schedule.sched_dep_at + to_minutes(schedule.dep_delay) as departed_at
    from schedule
    inner join {{ ref('airports') }} as airports on schedule.dest = airports.airport

),

-- The files give a landing as the clock at the destination reads: it is the first such time after the departure.
landed as (

    select
        *,
        departed_at at time zone time_zone as departed_there,
        sched_dep_at at time zone time_zone as sched_departed_there
    from departed

),

timed as (

    select
        *,
        (
            date_trunc('day', departed_there) + arr_clock
            + if(date_trunc('day', departed_there) + arr_clock < departed_there, interval 1 day, interval 0 day)
        ) at time zone time_zone as arrived_at,
        (
            date_trunc('day', sched_departed_there) + sched_arr_clock
            + if(
                date_trunc('day', sched_departed_there) + sched_arr_clock < sched_departed_there,
                interval 1 day,
                interval 0 day
            )
        ) at time zone time_zone as sched_arr_at
    from landed

),

final as (

    select
        timed.flight_id,
        timed.carrier,
        timed.flight,
        timed.tailnum,
        timed.origin,
        timed.dest,
        timed.distance,
        timed.sched_dep_at,
        timed.sched_arr_at,
        if(timed.departed_at <= clock.as_of, timed.departed_at, null) as departed_at,
        if(timed.departed_at <= clock.as_of, timed.dep_delay, null) as departure_delay,
        if(timed.arrived_at <= clock.as_of, timed.arrived_at, null) as arrived_at,
        if(timed.arrived_at <= clock.as_of, timed.arr_delay, null) as arrival_delay,
        if(timed.departed_at is null and timed.sched_dep_at <= clock.as_of, timed.sched_dep_at, null) as cancelled_at
    from timed
    cross join {{ ref('clock') }} as clock

)

select * from final
