select
    cast(date_part('hour', sched_dep_at at time zone 'America/New_York') as integer) as local_hour,
    cast(date_part('isodow', sched_dep_at at time zone 'America/New_York') as integer) as weekday,
    epoch(sched_dep_at - expected_at) / 3600 as turnaround_hours,
    airport <> origin as is_elsewhere
from {{ eiderdown.request() }}
