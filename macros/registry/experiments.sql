{#
    registry.experiments: the experiments that the project's models declare (config.meta.model.serving.experiment), as they are
    now.

    model: whose requests they are. arms: {arm: model@alias or model@version}. declared: all of the declaration.
#}
{% macro experiments() -%}
    {{ return(adapter.dispatch('experiments', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__experiments() -%}
{{ config(history=false) }}
{%- for node in (graph.nodes or {}).values()
    if node.resource_type == 'model' and (((node.config.meta or {}).model or {}).serving or {}).experiment %}
{%- set declared = node.config.meta.model.serving.experiment %}
select
    {{ eiderdown.literal(declared.name) }} as experiment,
    {{ eiderdown.literal(node.alias) }} as model,
    {{ eiderdown.literal(declared.policy) }} as policy,
    cast({{ eiderdown.literal(tojson(declared.arms)) }} as json) as arms,
    cast({{ eiderdown.literal(tojson(declared)) }} as json) as declared
union all
{% endfor %}
{{ eiderdown.no_rows('experiments') }}
{%- endmacro %}
