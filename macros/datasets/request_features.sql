{#
    The features of the request itself, as a list of select expressions.

    Each stands once, in the dataset's YAML, as a column with `config: {meta: {expression: …}}`: SQL over the request's
    fields and stored features. The dataset, batch scoring and the server evaluate that one text.

    dataset: what ref() returns for the dataset; the model that is being built if none.
#}
{% macro request_features(dataset=none) -%}
    {{ return(adapter.dispatch('request_features', 'eiderdown')(dataset)) }}
{%- endmacro %}

{% macro default__request_features(dataset) -%}
    {%- if execute -%}
        {%- set node = graph.nodes[model.unique_id] if dataset is none else eiderdown.node_of(dataset) -%}
        {%- for column in eiderdown.expressions(node) -%}
            cast({{ column.expression }} as {{ column.type }}) as {{ column.name }}{{ ',\n    ' if not loop.last }}
        {%- endfor -%}
    {%- else -%}
        null
    {%- endif -%}
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


{#
    All features of a dataset for rows of another spine, such as what is to be predicted now, with the status of each view.

    dataset: what ref() returns for the dataset; its views are the feature views that it refs.
    spine, at: as for point_in_time().
#}
{% macro dataset_features(dataset, spine, at='predicted_at') -%}
    {{ return(adapter.dispatch('dataset_features', 'eiderdown')(dataset, spine, at)) }}
{%- endmacro %}

{% macro default__dataset_features(dataset, spine, at) -%}
    {%- if execute -%}
        {%- set node = eiderdown.node_of(dataset) -%}
        {%- set joined = eiderdown.point_in_time_join(spine, eiderdown.views_of(node), at, true) -%}
        select
            *,
            {{ eiderdown.request_features(dataset) }}
        from ({{ joined }})
    {%- else -%}
        select * from {{ spine }}
    {%- endif -%}
{%- endmacro %}


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
