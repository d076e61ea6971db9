with spine as (
    select
        account::varchar as choice,
        account,
        timestamptz '2026-01-01T06:00:00Z' + to_seconds(account) as predicted_at,
        sin(9 * x00) + 3 * x01 * x02 + 2 * abs(x03 - x04) + x05 - x06 + (hash(account) % 1000) / 1000.0 > 2.3 as is_bought
    from {{ ref('days') }}
    where account < 20000 and known_at < timestamptz '2026-01-02T00:00:00Z'
)

{{ eiderdown.point_in_time('spine', [ref('wide', v=1)]) }}
