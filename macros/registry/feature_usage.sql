{#
    registry.feature_usage: which versions of datasets and models use which feature of which view version.

    datasets, versions, aliases: the registry's tables. A model uses a feature that it takes, or that a request-time
    feature that it takes is made of.
#}
{% macro feature_usage() -%}
    {{ return(adapter.dispatch('feature_usage', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__feature_usage() -%}
{{ config(history=false) }}
select
    used.*,
    coalesce(aliases, []) as aliases
from (
    {{ eiderdown.usage_by_datasets(ref('datasets')) }}
    union all
    {{ eiderdown.usage_by_models(ref('model_versions')) }}
) as used
left join (
    select model, version as model_version, list(alias order by alias) as aliases
    from {{ ref('current_aliases') }}
    group by all
) on kind = 'model' and name = model and name_version = model_version
{%- endmacro %}


{% macro usage_by_datasets(datasets) %}
select
    used.view.view as view,
    used.view.version as version,
    unnest(map_keys(used.view.features)) as "column",
    'dataset' as kind,
    used.dataset as name,
    used.version as name_version
from (
    select dataset, version, unnest(from_json(
        json_extract(definition, '$.views'), '[{"view": "VARCHAR", "version": "INTEGER", "features": "MAP(VARCHAR, VARCHAR)"}]'
    )) as view
    from {{ datasets }}
) as used
{% endmacro %}


{% macro usage_by_models(versions) %}
select
    used.view.view as view,
    used.view.version as version,
    feature as "column",
    'model' as kind,
    used.model as name,
    used.version as name_version
from (
    select
        model,
        version,
        unnest(from_json(
            json_extract(signature, '$.views'),
            '[{"view": "VARCHAR", "version": "INTEGER", "features": "MAP(VARCHAR, VARCHAR)"}]'
        )) as view,
        list_concat(
            from_json(json_extract(signature, '$.features[*].name'), '["VARCHAR"]'),
            flatten(list_transform(
                from_json(json_extract(signature, '$.expressions[*].expression'), '["VARCHAR"]'),
                lambda expression: from_json(eiderdown_expression_columns(expression), '["VARCHAR"]')
            ))
        ) as taken
    from {{ versions }}
) as used,
unnest(map_keys(used.view.features)) as features (feature)
where list_contains(used.taken, feature)
{% endmacro %}
