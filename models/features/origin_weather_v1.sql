-- The last hour's weather at the origin.
select
    origin,
    observed_at as event_at,
    known_at,
    temperature,
    humidity,
    wind_speed,
    wind_gust,
    precipitation,
    pressure,
    visibility
from {{ ref('weather') }}
