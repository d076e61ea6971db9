-- The rules, each held against the flights that have landed.
{% set landed %}
    (
        select
            flight_id as row_id,
            arrival_delay >= 15 as label
        from {{ ref('flights') }}
        where arrival_delay is not null
    )
{% endset %}

{{ eiderdown.labeling_functions(
    votes=ref('arrived_late_votes'),
    model=ref('arrived_late_model'),
    gold=landed
) }}
