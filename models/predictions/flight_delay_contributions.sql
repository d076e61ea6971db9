-- What makes the twenty riskiest of the upcoming flights risky.
with riskiest as (

    select upcoming.*
    from {{ ref('flight_delay_upcoming') }} as upcoming
    inner join {{ ref('flight_delay_predictions') }} as predictions on upcoming.flight_id = predictions.row_id
    order by predictions.score desc, upcoming.flight_id asc
    limit 20

)

{{ eiderdown.prediction_contributions('riskiest') }}
