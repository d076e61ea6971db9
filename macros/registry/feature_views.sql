{#
    registry.feature_views: a row for each version of each feature view, with what one needs to find and reuse it.

    views: what ref() returns for the project's feature views, all of them; one that is left out is a compiler error,
    since a release publishes what this table holds. A row follows the view's table and YAML; what its meaning is, the
    table's own materialization guards (keep_meaning.sql). A version that has left the project stays, as retired.
#}
{% macro feature_views(views) -%}
    {{ return(adapter.dispatch('feature_views', 'eiderdown')(views)) }}
{%- endmacro %}

{% macro default__feature_views(views) -%}
    {{ config(mutable=[
        'status', 'description', 'owner', 'tags', 'online', 'columns', 'column_descriptions', 'fingerprint', 'canonical_sql',
        'definition', 'changes', 'used_by', 'row_count', 'entity_count', 'first_event_at', 'latest_event_at',
        'latest_known_at', 'statistics', 'deprecation_date',
    ]) }}
    {%- if execute -%}
        {%- do eiderdown.refuse_left_out('feature_view', views) -%}
        {%- set states = eiderdown.recorded_states(views) -%}
        {%- for relation in views -%}
            {%- set node = eiderdown.node_of(relation) -%}
            {%- set view = eiderdown.feature_view_declaration(node) -%}
            {%- set recorded = states[relation.schema ~ '.' ~ relation.identifier].recorded -%}
            {%- set statistics = recorded.statistics or {} -%}
            {%- set descriptions = {} -%}
            {%- for column in node.columns.values() if column.description -%}
                {%- do descriptions.update({column.name: column.description}) -%}
            {%- endfor %}
select
    {{ eiderdown.literal(view.view) }} as view,
    {{ view.version }} as version,
    {{ eiderdown.literal(view.kind) }} as kind,
    '{{ 'deprecated' if node.deprecation_date else 'active' }}' as status,
    {{ eiderdown.literal(node.schema ~ '.' ~ node.alias) }} as relation,
    cast({{ eiderdown.literal(view.description) }} as varchar) as description,
    cast({{ eiderdown.literal(node.config.meta.owner or node.config.group) }} as varchar) as owner,
    cast({{ node.tags }} as varchar[]) as tags,
    cast({{ view.entity }} as varchar[]) as entity,
    {{ eiderdown.literal(view.event_at) }} as event_at,
    {{ eiderdown.literal(view.known_at) }} as known_at,
    cast({{ eiderdown.literal(view.ttl) }} as interval) as ttl,
    {{ view.online | lower }} as online,
    cast(map {{ view.inputs }} as map(varchar, varchar)) as inputs,
    cast(map {{ view.features }} as map(varchar, varchar)) as columns,
    from_json({{ eiderdown.literal(tojson(descriptions)) }}, '"MAP(VARCHAR, VARCHAR)"') as column_descriptions,
    {{ eiderdown.literal(recorded.fingerprint) }} as fingerprint,
    {{ eiderdown.literal(recorded.canonical) }} as canonical_sql,
    cast({{ eiderdown.literal(tojson(recorded.definition or {})) }} as json) as definition,
    cast({{ eiderdown.literal(tojson(recorded.changes or [])) }} as json) as changes,
    cast({{ eiderdown.used_by(node) }} as varchar[]) as used_by,
    cast({{ statistics.row_count or 0 }} as bigint) as row_count,
    cast({{ statistics.entity_count or 0 }} as bigint) as entity_count,
    cast({{ eiderdown.literal(statistics.first_event_at) }} as timestamptz) as first_event_at,
    cast({{ eiderdown.literal(statistics.latest_event_at) }} as timestamptz) as latest_event_at,
    cast({{ eiderdown.literal(statistics.latest_known_at) }} as timestamptz) as latest_known_at,
    from_json(
        {{ eiderdown.literal(tojson(statistics.columns or {})) }},
        '"MAP(VARCHAR, STRUCT(null_count BIGINT, distinct_count BIGINT, min VARCHAR, max VARCHAR, mean DOUBLE))"'
    ) as statistics,
    cast({{ eiderdown.literal(node.deprecation_date) }} as timestamptz) as deprecation_date,
    now() as created_at
            {%- if not loop.last %}
union all
            {%- endif -%}
        {%- endfor -%}
        {%- if load_relation(this) is not none %}
union all
{# A version that has left the project stays registered, and is served no more. #}
select * exclude (invocation_id) replace (false as online, 'retired' as status, [] as used_by)
from {{ this }}
where relation not in ({% for relation in views %}'{{ relation.schema }}.{{ relation.identifier }}'{{ ', ' if not loop.last }}{% endfor %})
        {%- endif -%}
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}


{# The project's datasets and feature views that read a view's node, as `kind name`; models are in registry.feature_usage. #}
{% macro used_by(node) %}
    {%- set users = [] -%}
    {%- for reader in graph.nodes.values() if node.unique_id in reader.depends_on.nodes -%}
        {%- set meta = reader.config.meta or {} -%}
        {%- do users.append('dataset ' ~ reader.alias) if 'dataset' in meta -%}
        {%- do users.append('feature view ' ~ reader.alias) if 'feature_view' in meta -%}
    {%- endfor -%}
    {{ return(users | sort) }}
{% endmacro %}


{# Stop where the project has a node with config.meta.<kind> that is not in the list: what is registered is complete. #}
{% macro refuse_left_out(kind, relations) %}
    {%- set given = relations | map('string') | list -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and kind in (node.config.meta or {}) -%}
        {%- if node.relation_name not in given -%}
            {{ exceptions.raise_compiler_error(
                model.schema ~ "." ~ model.name ~ ": the list lacks " ~ node.name
                ~ (', v=' ~ node.version if node.version else '') ~ "; add ref('" ~ node.name ~ "'"
                ~ (', v=' ~ node.version if node.version else '') ~ ") to it"
            ) }}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
