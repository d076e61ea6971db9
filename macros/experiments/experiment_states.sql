{#
    experiments.experiment_states: what was known of each experiment each time that it changed: its status, the weights of its arms,
    and of each arm how many outcomes there were and what its mean loss was. is_current: the newest of its fingerprint, so what
    goes on; what was stopped stays so.

    Reads the append-only JSON lines under `events/experiments` that it has not read (new_events()); the learner writes them.
#}
{% macro experiment_states() -%}
    {{ return(adapter.dispatch('experiment_states', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__experiment_states() -%}
{{ config(mutable=['is_current']) }}
with new_states as (
    select
        event_id,
        logged_at,
        experiment,
        fingerprint,
        endpoint,
        policy,
        status,
        reason,
        weights,
        map_entries(from_json(
            state -> '$.arms', '"MAP(VARCHAR, STRUCT(outcomes DOUBLE, sum DOUBLE, squares DOUBLE))"'
        )) as arms
    from {{ eiderdown.new_events('experiments') }}
    where {{ eiderdown.is_event('experiments') }}
    qualify row_number() over (partition by event_id order by logged_at) = 1
),

states as (
    select
        * exclude (arms),
        map_from_entries(list_transform(arms, lambda arm: (arm.key, arm.value.outcomes))) as outcomes,
        map_from_entries(list_transform(arms, lambda arm: (arm.key, arm.value.sum / nullif(arm.value.outcomes, 0))))
            as mean_losses
    from new_states
    {%- if execute and load_relation(this) is not none %}
    where event_id not in (select event_id from {{ this }})
    union all by name
    select * exclude (is_current)
    from {{ this }}
    where is_current
    {%- endif %}
)

select
    *,
    row_number() over (partition by fingerprint order by status = 'stopped' desc, logged_at desc, event_id desc) = 1 as is_current
from states
{%- endmacro %}
