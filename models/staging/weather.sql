-- An observation describes its hour and is known when that hour is over.
with observed as (

    select
        origin,
        cast(time_hour as timestamptz) as observed_at,
        cast(time_hour as timestamptz) + interval 1 hour as known_at,
        cast(temp as double) as temperature,
        cast(humid as double) as humidity,
        cast(wind_speed as double) as wind_speed,
        cast(wind_gust as double) as wind_gust,
        cast(precip as double) as precipitation,
        cast(pressure as double) as pressure,
        cast(visib as double) as visibility
    from {{ source('raw', 'weather') }}

),

final as (

    select observed.*
    from observed
    cross join {{ ref('clock') }} as clock
    where observed.known_at <= clock.as_of

)

select * from final
