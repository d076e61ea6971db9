-- The plane's last landings.
with landings as (

    select
        tailnum,
        arrived_at,
        arrival_delay
    from {{ ref('flights') }}
    where tailnum is not null and arrival_delay is not null
    -- Of two landings within one minute the later one counts.
    qualify row_number() over (partition by tailnum, arrived_at order by arrival_delay desc) = 1

),

final as (

    select
        tailnum,
        arrived_at as event_at,
        arrived_at as known_at,
        arrival_delay as last_arrival_delay,
        count(*) over last_day as landings_last_day,
        avg(arrival_delay) over last_day as mean_arrival_delay
    from landings
    window last_day as (
        partition by tailnum
        order by arrived_at
        range between interval 24 hours preceding and current row
    )

)

select * from final
