{#
    experiments.experiment_predictions: every prediction in an experiment, once: which arm made it in which role, with which
    probability its unit was to get that arm, what came of it and what it cost (`loss`, loss_of()).

    unit: who was assigned, the request itself where no unit is declared. arm: that scored, or 'ensemble' of the mean of those that were
    ready; where the control answered in the place of an arm that failed, `instead_of` names the arm that was drawn. weights: of all
    arms when it was drawn: those of the latest state of the experiment that gave the arm the probability that was logged, otherwise
    those that are declared, equal ones, or of two arms what is left. is_drawn_as_declared: whether they give the unit that arm.
    policy, loss_kind and loss_scale stay as they were declared when the prediction was first read.
#}
{% macro experiment_predictions() -%}
    {{ return(adapter.dispatch('experiment_predictions', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__experiment_predictions() -%}
{{ config(mutable=['outcome', 'loss']) }}
{%- set log, feedback, versions = ref('prediction_log'), ref('feedback'), ref('model_versions') -%}
{%- set experiments, states = ref('experiments'), ref('experiment_states') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set held = load_relation(this) is not none -%}
with new_rows as (
    select
        log.* exclude (assignment),
        assignment.experiment,
        assignment.fingerprint,
        assignment.endpoint,
        if(assignment.role = 'ensemble', 'ensemble', assignment.arm) as arm,
        assignment.role,
        assignment.instead_of,
        coalesce(assignment.unit, log.request_id) as unit,
        if(assignment.role = 'answer', assignment.probability, null) as probability,
        assignment.seconds,
        coalesce(assignment.instead_of, arm) as drawn,
        {{ eiderdown.as_logged('probability') }} as share
    from {{ log }} as log
    {%- if held %}
    anti join {{ this }} as held using (event_id)
    {%- endif %}
    where assignment is not null
),

tasks as (
    select model as endpoint, arg_max(task, version) as task
    from {{ versions }}
    group by model
),

known as (
    select
        fingerprint,
        arg_max(policy, logged_at) as policy,
        {{ eiderdown.arms_in_order('map_keys(arg_max(weights, logged_at))') }} as arms
    from {{ states }}
    group by fingerprint
),

shares as (
    select fingerprint, logged_at, weights, weight.key as drawn, {{ eiderdown.as_logged('weight.value') }} as share
    from (select fingerprint, logged_at, weights, unnest(map_entries(weights)) as weight from {{ states }})
),

declared_rows as (
    select
        new_rows.* exclude (label),
        if(tasks.task = 'binary', new_rows.label, null) as label,
        coalesce(known.policy, declared.policy) as policy,
        coalesce(known.arms, {{ eiderdown.arms_in_order('json_keys(declared.arms)') }}) as arms,
        from_json(declared.declared -> '$.weights', '"MAP(VARCHAR, DOUBLE)"') as declared_weights,
        coalesce(
            declared.declared ->> '$.loss', if(tasks.task = 'regression', 'absolute', if(tasks.task is null, null, 'brier'))
        ) as loss_kind,
        cast(declared.declared ->> '$.loss_scale' as double) as loss_scale
    from new_rows
    left join tasks using (endpoint)
    left join known using (fingerprint)
    left join {{ experiments }} as declared on new_rows.experiment = declared.experiment
),

drawn_rows as (
    select
        declared_rows.* exclude (drawn, share, arms, declared_weights),
        case
            when probability is null then null
            when shares.weights is not null then map(arms, list_transform(arms, lambda name: shares.weights[name]))
            when abs(declared_weights[declared_rows.drawn] / list_sum(map_values(declared_weights)) - probability) < 1e-8
                then map(arms, list_transform(arms, lambda name: declared_weights[name] / list_sum(map_values(declared_weights))))
            when abs(probability - 1 / len(arms)) < 1e-8 then map(arms, list_transform(arms, lambda name: 1 / len(arms)))
            when len(arms) = 2 then map(arms, list_transform(
                arms, lambda name: if(name = declared_rows.drawn, probability, 1 - probability)
            ))
        end as weights
    from declared_rows
    asof left join shares
        on declared_rows.fingerprint = shares.fingerprint
        and declared_rows.drawn = shares.drawn
        and declared_rows.share = shares.share
        and declared_rows.logged_at >= shares.logged_at
),

told as (
    select
        drawn_rows.* exclude (status, missing, instance, features, class),
        {{ eiderdown.drawn_arm(request_id='drawn_rows.request_id') }} = coalesce(instead_of, arm) as is_drawn_as_declared,
        feedback.outcome
    from drawn_rows
    left join {{ feedback }} as feedback
        on drawn_rows.endpoint = feedback.model
        and drawn_rows.request_id = feedback.request_id
        and drawn_rows.place = feedback.instance
    {%- if held %}
    union all by name
    select held.* exclude (outcome, loss), feedback.outcome
    from {{ this }} as held
    inner join {{ feedback }} as feedback
        on held.endpoint = feedback.model
        and held.request_id = feedback.request_id
        and held.place = feedback.instance
        and held.outcome is distinct from feedback.outcome
    {%- endif %}
)

select *, {{ eiderdown.loss_of() }} as loss
from told
{%- endmacro %}


{# A list of arms in the order in which they are drawn and shown: 'control', then the others by name. #}
{% macro arms_in_order(arms) -%}
    list_prepend('control', list_sort(list_filter({{ arms }}, lambda name: name <> 'control')))
{%- endmacro %}


{# A probability with the nine digits that a server logs of it. #}
{% macro as_logged(probability) -%}
    printf('%.9g', {{ probability }})
{%- endmacro %}
