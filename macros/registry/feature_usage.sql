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
    select dataset, version, unnest({{ eiderdown.stored_views('definition') }}) as view
    from {{ datasets }}
) as used
union all
select {{ eiderdown.request_feature('used.expression') }}, 'dataset', used.dataset, used.version
from (
    select dataset, version, unnest({{ eiderdown.request_expressions('definition') }}) as expression
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
        unnest({{ eiderdown.stored_views('signature') }}) as view,
        list_concat(
            from_json(json_extract(signature, '$.features[*].name'), '["VARCHAR"]'),
            flatten(list_transform(
                {{ eiderdown.request_expressions('signature') }},
                lambda made: from_json(eiderdown_expression_columns(made.expression), '["VARCHAR"]')
            ))
        ) as taken
    from {{ versions }}
) as used,
unnest(map_keys(used.view.features)) as features (feature)
where list_contains(used.taken, feature)
union all
{#- A signature has only those that the model takes. #}
select {{ eiderdown.request_feature('used.expression') }}, 'model', used.model, used.version
from (
    select model, version, unnest({{ eiderdown.request_expressions('signature') }}) as expression
    from {{ versions }}
) as used
{% endmacro %}


{# The feature views in a definition or a signature, as a list of structs. #}
{% macro stored_views(json) -%}
    from_json(
        json_extract({{ json }}, '$.views'), '[{"view": "VARCHAR", "version": "INTEGER", "features": "MAP(VARCHAR, VARCHAR)"}]'
    )
{%- endmacro %}


{# The request-time features in a definition or a signature, as a list of structs. #}
{% macro request_expressions(json) -%}
    from_json(
        json_extract({{ json }}, '$.expressions'), '[{"name": "VARCHAR", "expression": "VARCHAR", "view": "VARCHAR"}]'
    )
{%- endmacro %}


{# View, version and column of a request-time feature. #}
{% macro request_feature(expression) -%}
    regexp_extract({{ expression }}.view, '^(.*)_v[0-9]+$', 1),
    cast(regexp_extract({{ expression }}.view, '_v([0-9]+)$', 1) as integer),
    {{ expression }}.name
{%- endmacro %}
