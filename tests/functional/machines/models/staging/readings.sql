-- Made up: 120 machines, each read every six hours for 150 days; the hotter one runs, the likelier it stops soon.
with readings as (
    select
        9007199254740992 + machine as machine_id,
        timestamptz '2024-01-01T00:00:00Z' + to_hours(6 * step) as read_at,
        60 + 15 * (hash(machine, step // 8) % 100) / 100.0 + (hash(machine, step) % 100) / 20.0 as temperature,
        hash(machine, step, 'stops') % 1000 / 1000.0 as chance
    from range(120) as machines (machine), range(600) as steps (step)
)

select machine_id, read_at, temperature, chance < (temperature - 60) / 40 as stopped
from readings
