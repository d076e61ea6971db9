{#
    monitoring.feedback: what came out, as said through /feedback: a row for each instance of a request. An outcome whose
    request is in no prediction log is kept: its prediction may come with the next run.

    Several outcomes may be said of one instance. That with the latest observed_at stands; of equal ones the one that was
    logged first, so saying something else later without a later observation changes nothing. `outcomes` holds all that
    differ, the standing one first, each as it was logged first.

    Reads the append-only JSON lines under `events/feedback` that it has not read (new_events()).
#}
{% macro feedback() -%}
    {{ return(adapter.dispatch('feedback', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__feedback() -%}
{{ config(mutable=['outcome', 'observed_at', 'logged_at', 'event_id', 'outcome_count', 'outcomes']) }}
with new_outcomes as (
    select
        model,
        request_id,
        instance,
        struct_pack(event_id := event_id, outcome := outcome ->> '$', observed_at := observed_at, logged_at := logged_at) as said
    from {{ eiderdown.new_events('feedback') }}
    where {{ eiderdown.is_event('feedback') }}
),

all_outcomes as (
    select * from new_outcomes
    {%- if execute and load_relation(this) is not none %}
    union all
    select model, request_id, instance, unnest(outcomes) as said
    from {{ this }}
    semi join new_outcomes using (model, request_id, instance)
    {%- endif %}
),

different as (
    select
        model,
        request_id,
        instance,
        arg_min(said, struct_pack(a := said.logged_at, b := said.observed_at, c := said.outcome)) as said
    from all_outcomes
    group by model, request_id, instance, said.event_id
),

final as (
    select
        model,
        request_id,
        instance,
        list(said order by said.observed_at desc, said.logged_at asc, said.event_id asc) as outcomes
    from different
    group by model, request_id, instance
)

select
    model,
    request_id,
    instance,
    outcomes[1].outcome as outcome,
    outcomes[1].observed_at as observed_at,
    outcomes[1].logged_at as logged_at,
    outcomes[1].event_id as event_id,
    len(outcomes) as outcome_count,
    outcomes
from final
{%- endmacro %}
