select
    machine_id,
    read_at as event_at,
    read_at + interval 5 minutes as known_at,
    temperature,
    avg(temperature) over (
        partition by machine_id order by read_at range between interval 1 day preceding and current row
    ) as mean_temperature
from {{ ref('readings') }}
