-- The file lacks four airports of the Caribbean that New York flies to; all keep Atlantic Standard Time.
with listed as (

    select
        faa as airport,
        name as airport_name,
        tzone as time_zone
    from {{ source('raw', 'airports') }}

),

unlisted as (

    select
        airport,
        airport_name,
        'America/Puerto_Rico' as time_zone
    from (
        values
        ('BQN', 'Rafael Hernandez'),
        ('PSE', 'Mercedita'),
        ('SJU', 'Luis Munoz Marin Intl'),
        ('STT', 'Cyril E King')
    ) as listed_here (airport, airport_name)

),

final as (

    select * from listed
    union all
    select * from unlisted
    where airport not in (select listed.airport from listed)

)

select * from final
