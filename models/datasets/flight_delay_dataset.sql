-- Two hours before each scheduled departure: what was known, and whether the flight arrived late, in truth and by the
-- rules of models/labels.
with spine as (

    select
        flight_id,
        tailnum,
        carrier,
        flight,
        origin,
        dest,
        distance,
        sched_dep_at,
        sched_dep_at - interval 2 hours as predicted_at,
        arrival_delay >= 15 as arrived_late,
        arrival_delay
    from {{ ref('flights') }}
    where arrival_delay is not null

),

joined as (

    {{ eiderdown.point_in_time('spine', [
        ref('plane_activity', v=2),
        ref('origin_activity'),
        ref('carrier_activity'),
        ref('route_activity'),
        ref('origin_weather'),
        ref('departure'),
    ]) }}

),

known as (

    select * exclude (airport, expected_at) from joined

),

final as (

    select
        known.*,
        labels.label as late_label,
        labels.probabilities as late_probabilities,
        labels.source as late_source
    from known
    left join {{ ref('arrived_late') }} as labels on known.flight_id = labels.flight_id

)

select * from final
