-- The file lacks four airports of the Caribbean that New York flies to; all keep Atlantic Standard Time.
with listed as (

    select
        faa as airport,
        tzone as time_zone
    from {{ source('raw', 'airports') }}

),

unlisted as (

    select
        unnest(['BQN', 'PSE', 'SJU', 'STT']) as airport,
        'America/Puerto_Rico' as time_zone

),

final as (

    select * from listed
    union all
    select * from unlisted
    where airport not in (select listed.airport from listed)

)

select * from final
