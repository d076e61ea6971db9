{#
    monitoring.serving_consistency: how many feature values that servers took differ from those that the warehouse gives, by version,
    window and feature: monitoring.compared_predictions, counted. Also of windows that are not over.

    missing_count: the server had no value, the warehouse has one; extra_count: the other way round; mismatch_count: both have, and
    differ. example: the first difference, {event_id, kind, served, recomputed}.
#}
{% macro serving_consistency() -%}
    {{ return(adapter.dispatch('serving_consistency', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__serving_consistency() -%}
{{ config(history=false) }}
{%- set compared, versions = ref('compared_predictions'), ref('model_versions') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
with predictions as (
    {%- for node in eiderdown.monitored_nodes() if node.config.meta.monitor.model %}
    {%- set declared = eiderdown.monitored(node) %}
    select *, {{ eiderdown.window_of('predicted_at', declared.every) }} as window_at
    from {{ compared }}
    where model = {{ eiderdown.literal(declared.model) }}
    union all
    {%- endfor %}
    select *, predicted_at from {{ compared }} where false
),

features as (
    select model, version, unnest(signature ->> '$.features[*].name') as feature
    from {{ versions }}
),

windows as (
    select model, version, window_at, count(*) as compared_count
    from predictions
    group by all
),

differences as (
    select
        model,
        version,
        window_at,
        difference.feature,
        count(*) filter (difference.kind = 'mismatch') as mismatch_count,
        count(*) filter (difference.kind = 'missing') as missing_count,
        count(*) filter (difference.kind = 'extra') as extra_count,
        arg_min(
            {
                'event_id': event_id,
                'kind': difference.kind,
                'served': difference.served,
                'recomputed': difference.recomputed
            },
            (predicted_at, event_id)
        ) as example
    from (select * exclude (differences), unnest(differences) as difference from predictions)
    group by all
)

select
    model,
    version,
    window_at,
    feature,
    compared_count,
    coalesce(mismatch_count, 0) as mismatch_count,
    coalesce(missing_count, 0) as missing_count,
    coalesce(extra_count, 0) as extra_count,
    to_json(example) as example
from windows
inner join features using (model, version)
left join differences using (model, version, window_at, feature)
{%- endmacro %}
