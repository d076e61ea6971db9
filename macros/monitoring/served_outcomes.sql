{#
    The predictions of a model that were served, with what came of them: rows (event_id, model, version, predicted_at, slices, score,
    threshold, target, is_told).

    served: the relation with config.meta.monitor.model, from ref(). as_of: an expression; only what was observed by then counts, and
    of several outcomes of a prediction the one that stood then. target: the outcome in the type of the task, a double (1 or 0 of a
    binary task) or a class; null where none is known, or none that the task has: is_told, and target null. slices: map(varchar,
    varchar) of the declared columns. score: a number, or class -> probability. Of a request in an experiment the outcome was said of
    the model that was asked, whatever version answered.
#}
{% macro served_outcomes(served, as_of) -%}
    {{ return(adapter.dispatch('served_outcomes', 'eiderdown')(served, as_of)) }}
{%- endmacro %}

{% macro default__served_outcomes(served, as_of) -%}
{%- set declared = eiderdown.monitored(eiderdown.node_of(served)) -%}
{%- set task = eiderdown.task_of(declared.model) -%}
{%- set log, feedback, versions = ref('prediction_log'), ref('feedback'), ref('model_versions') -%}
select
    served.event_id,
    {{ eiderdown.literal(declared.model) }} as model,
    served.version,
    served.{{ declared.at }} as predicted_at,
    cast(map {
        {%- for column in declared.slices -%}
        {{ eiderdown.literal(column) }}: cast(served.{{ column }} as varchar){{ ', ' if not loop.last }}
        {%- endfor -%}
    } as map(varchar, varchar)) as slices,
    {%- if task == 'multiclass' %}
    log.probabilities as score,
    cast(null as double) as threshold,
    if(list_contains(cast(versions.signature -> '$.classes' as varchar[]), told.outcome), told.outcome, null) as target,
    {%- else %}
    served.score,
    cast(versions.signature ->> '$.threshold' as double) as threshold,
    {%- if task == 'binary' %}
    cast(try_cast(told.outcome as boolean) as double) as target,
    {%- else %}
    if(isfinite(try_cast(told.outcome as double)), try_cast(told.outcome as double), null) as target,
    {%- endif %}
    {%- endif %}
    told.outcome is not null as is_told
from {{ served }} as served
inner join {{ versions }} as versions
    on versions.model = {{ eiderdown.literal(declared.model) }} and served.version = versions.version
{%- if task == 'multiclass' %}
inner join {{ log }} as log using (event_id)
{%- endif %}
left join (
    select
        event_id,
        list_filter(outcomes, lambda said: said.observed_at <= until)[1].outcome as outcome
    from (
        with elsewhere as (
            select event_id, request_id, place, assignment.endpoint as endpoint
            from {{ log }} as log
            where model = {{ eiderdown.literal(declared.model) }}
                and {{ eiderdown.is_served('log') }}
                and (assignment.endpoint <> model or assignment.role = 'member')
        )

        select request_id || '-' || instance as event_id, outcomes
        from {{ feedback }} as feedback
        anti join elsewhere on feedback.request_id || '-' || feedback.instance = elsewhere.event_id
        where model = {{ eiderdown.literal(declared.model) }}
        union all
        select elsewhere.event_id, feedback.outcomes
        from {{ feedback }} as feedback
        inner join elsewhere
            on feedback.model = elsewhere.endpoint
            and feedback.request_id = elsewhere.request_id
            and feedback.instance = elsewhere.place
    )
    cross join (select {{ as_of }} as until)
) as told using (event_id)
{%- endmacro %}
