{#
    The features of the request itself, as a list of select expressions.

    Each stands once, in the dataset's YAML, as a column with `config: {meta: {expression: …}}`: SQL over the request's
    fields and stored features. The dataset, batch scoring and the server evaluate that one text.

    Called in the dataset's own SQL.
#}
{% macro request_features() -%}
    {{ return(adapter.dispatch('request_features', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__request_features() -%}
    {%- if execute and model.resource_type == 'unit_test' -%}
        {{ exceptions.raise_compiler_error(
            "unit test " ~ model.name ~ ": dbt shows a unit test no YAML columns, so request_features() finds no "
            ~ "expressions. Write in the unit test: overrides: {macros: {eiderdown.request_features: 'null as hour'}}"
        ) }}
    {%- endif -%}
    {%- if execute -%}
        {{ eiderdown.computed(eiderdown.expressions(graph.nodes[model.unique_id])) }}
    {%- else -%}
        null
    {%- endif -%}
{%- endmacro %}


{# Request-time features as select expressions. #}
{% macro computed(expressions) -%}
    {%- for column in expressions -%}
        cast({{ column.expression }} as {{ column.type }}) as {{ column.name }}{{ ',\n    ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{# The request-time features of a dataset's node, in order: [{name, type, expression}]. #}
{% macro expressions(node) %}
    {%- set found = [] -%}
    {%- for column in node.columns.values() -%}
        {%- set expression = (column.config.meta or {}).get('expression') -%}
        {%- if expression -%}
            {%- do found.append({'name': column.name, 'type': column.data_type, 'expression': expression}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{# The declarations of the feature views that a dataset's node refs, in the order of its refs. #}
{% macro views_of(node) %}
    {%- set views = [] -%}
    {%- for id in node.depends_on.nodes -%}
        {%- if id in graph.nodes and 'feature_view' in (graph.nodes[id].config.meta or {}) -%}
            {%- do views.append(eiderdown.feature_view_declaration(graph.nodes[id])) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(views) }}
{% endmacro %}
