-- The route's last seven days.
select distinct
    origin,
    dest,
    arrived_at as event_at,
    arrived_at as known_at,
    count(*) over last_days as route_landings,
    avg(arrival_delay) over last_days as route_mean_arrival_delay,
    avg(cast(arrival_delay >= 15 as integer)) over last_days as route_share_arrived_late
from {{ ref('flights') }}
where arrival_delay is not null
window last_days as (
    partition by origin, dest order by arrived_at range between interval 7 days preceding and current row
)
