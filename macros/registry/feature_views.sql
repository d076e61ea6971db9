{#
    registry.feature_views: a row for each version of each feature view, with what one needs to find and reuse it.

    views: what ref() returns for the project's feature views, all of them; one that is left out is a compiler error,
    since a release publishes what this table holds. Description, deprecation date and whether it is online follow the
    YAML; all else is the version's meaning and stays.
#}
{% macro feature_views(views) -%}
    {{ return(adapter.dispatch('feature_views', 'eiderdown')(views)) }}
{%- endmacro %}

{% macro default__feature_views(views) -%}
    {{ config(mutable=['description', 'online', 'deprecation_date']) }}
    {%- if execute -%}
        {%- do eiderdown.refuse_left_out('feature_view', views) -%}
        {%- set states = eiderdown.recorded_states(views) -%}
        {%- for relation in views -%}
            {%- set node = eiderdown.node_of(relation) -%}
            {%- set view = eiderdown.feature_view_declaration(node) -%}
            {%- set recorded = states[relation.schema ~ '.' ~ relation.identifier].recorded %}
select
    {{ eiderdown.literal(view.view) }} as view,
    {{ view.version }} as version,
    {{ eiderdown.literal(view.kind) }} as kind,
    {{ eiderdown.literal(node.schema ~ '.' ~ node.alias) }} as relation,
    {{ eiderdown.literal(view.description) }} as description,
    cast({{ view.entity }} as varchar[]) as entity,
    {{ eiderdown.literal(view.event_at) }} as event_at,
    {{ eiderdown.literal(view.known_at) }} as known_at,
    cast({{ eiderdown.literal(view.ttl) }} as interval) as ttl,
    {{ view.online | lower }} as online,
    cast(map {{ view.inputs }} as map(varchar, varchar)) as inputs,
    cast(map {{ view.features }} as map(varchar, varchar)) as columns,
    {{ eiderdown.literal(recorded.fingerprint) }} as fingerprint,
    {{ eiderdown.literal(recorded.canonical) }} as canonical_sql,
    cast({{ eiderdown.literal(node.deprecation_date) }} as timestamptz) as deprecation_date,
    now() as created_at
            {%- if not loop.last %}
union all
            {%- endif -%}
        {%- endfor -%}
        {%- if load_relation(this) is not none %}
union all
{# A version that has left the project stays registered, and is served no more. #}
select * exclude (invocation_id) replace (false as online)
from {{ this }}
where relation not in ({% for relation in views %}'{{ relation.schema }}.{{ relation.identifier }}'{{ ', ' if not loop.last }}{% endfor %})
        {%- endif -%}
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}


{# Stop where the project has a node with config.meta.<kind> that is not in the list: what is registered is complete. #}
{% macro refuse_left_out(kind, relations) %}
    {%- set given = relations | map('string') | list -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and kind in (node.config.meta or {}) -%}
        {%- if node.relation_name not in given -%}
            {{ exceptions.raise_compiler_error(
                "registry." ~ model.name ~ ": the list lacks " ~ node.name
                ~ (', v=' ~ node.version if node.version else '') ~ "; add ref('" ~ node.name ~ "'"
                ~ (', v=' ~ node.version if node.version else '') ~ ") to it"
            ) }}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
