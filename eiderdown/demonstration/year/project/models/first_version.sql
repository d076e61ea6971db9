-- What training again was worth: how much better the predictions that were served are than those of the first version, on the
-- very features that were served; by month, and over all that another version served.
{{ config(materialized='table', schema='monitoring') }}

with told as (

    select
        served.*,
        feedback.outcome = 'true' as is_late
    from {{ ref('eiderdown', 'flight_delay_served') }} as served
    inner join {{ ref('eiderdown', 'feedback') }} as feedback
        on served.event_id = feedback.request_id || '-' || feedback.instance

),

scored as (

    select
        event_id,
        is_late,
        score,
        version,
        predict('flight_delay@1', told) as first_score,
        strftime(predicted_at at time zone 'UTC', '%Y-%m') as month
    from told

),

later as (select unnest([month, 'all']) as months, * from scored where version > 1)

{{ eiderdown.metric_differences('later', 'is_late', 'score', 'first_score', 'event_id', by=['months']) }}
