with spine as (
    select
        machine_id || '@' || epoch(read_at)::bigint as reading,
        machine_id,
        'day' as shift,
        read_at - interval 6 hours as predicted_at,
        stopped,
        temperature as next_temperature,
        case when stopped then 'stopped' when temperature > 72 then 'hot' else 'normal' end as next_state
    from {{ ref('readings') }}
)

{{ eiderdown.point_in_time('spine', [ref('machine_health', v=1), ref('heating', v=1)]) }}
