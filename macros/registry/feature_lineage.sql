{#
    registry.feature_lineage: for each column of each feature view, the columns that it comes from, through every SQL model
    down to the sources (ml/meaning/lineage.py says what usage, depth and is_source are).
#}
{% macro feature_lineage() -%}
    {{ return(adapter.dispatch('feature_lineage', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__feature_lineage() -%}
{{ config(history=false) }}
select
    view,
    version,
    line.*
from (
    select
        view,
        version,
        unnest(from_json(
            eiderdown_lineage(cast(definition as varchar)),
            '[{"column": "VARCHAR", "source_relation": "VARCHAR", "source_column": "VARCHAR", "usage": "VARCHAR", '
            || '"depth": "INTEGER", "is_source": "BOOLEAN"}]'
        )) as line
    from {{ ref('feature_views') }}
)
{%- endmacro %}
