-- The point-in-time join neither drops nor repeats a flight.
(
    select flight_id from {{ ref('flights') }}
    where arrival_delay is not null
    except all
    select flight_id from {{ ref('flight_delay_dataset') }}
)
union all
(
    select flight_id from {{ ref('flight_delay_dataset') }}
    except all
    select flight_id from {{ ref('flights') }}
    where arrival_delay is not null
)
