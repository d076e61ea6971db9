-- The origin airport's last three hours: how many planes left, how late.
select distinct
    origin,
    departed_at as event_at,
    departed_at as known_at,
    count(*) over last_hours as origin_departures,
    avg(departure_delay) over last_hours as origin_mean_departure_delay,
    avg(cast(departure_delay >= 15 as integer)) over last_hours as origin_share_departed_late,
    avg(departure_delay) over last_hour as origin_mean_departure_delay_last_hour
from {{ ref('flights') }}
where departed_at is not null
window
    last_hours as (
        partition by origin order by departed_at range between interval 3 hours preceding and current row
    ),
    last_hour as (
        partition by origin order by departed_at range between interval 1 hour preceding and current row
    )
