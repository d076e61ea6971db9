{#
    The anomalies of a relation, or of other rows against the schema of a model, as a list of rows of found_anomalies(). Nothing is built.

    name: of the model, or schema.table of what it builds. source: SQL of other rows, such as those of a file, in brackets; they count as
    one window. A monitored relation is judged by its own windows.
    The constraints of the contract are rules here too, since nothing has enforced them on these rows.
#}
{% macro validated(name, source=none) %}
    {%- set node = eiderdown.node_named(name) -%}
    {%- set relation = node.schema ~ '.' ~ node.alias -%}
    {%- set table = source or (api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) | string) -%}
    {%- set types = eiderdown.described_columns(table) -%}
    {%- set schemas = eiderdown.declared_schemas([node]) -%}
    {%- set by = {} -%}
    {%- if 'monitor' in (node.config.meta or {}) and not source -%}
        {%- set declared = eiderdown.monitored(node) -%}
        {%- do by.update({'window_at': eiderdown.window_of(declared.at, declared.every)}) -%}
    {%- endif -%}
    {%- set window_at = by.window_at or "timestamptz 'epoch'" -%}
    {%- set statistics -%}
        (select {{ eiderdown.literal(relation) }} as relation, {{ '' if by else window_at ~ ' as window_at, ' }}* from ({{ eiderdown.statistics(table, types, by) }}))
    {%- endset -%}
    {%- set key = eiderdown.primary_key(node) -%}
    {%- set lacking = key | reject('in', types) | list -%}
    {%- set checked = [eiderdown.no_checks()] -%}
    {%- for rule in eiderdown.row_rules(relation, schemas['columns'], types, eiderdown.declared_checks(node, types), [] if lacking else key) -%}
        {%- do checked.append(eiderdown.checked_rows(
            relation, 'select *, ' ~ window_at ~ " as window_at, timestamptz 'epoch' as computed_at from " ~ table, rule
        )) -%}
    {%- endfor -%}
    {%- set found = eiderdown.found_anomalies(schemas, statistics, '(' ~ checked | join(' union all ') ~ ')') -%}
    {%- set query = 'select cast(to_json(list(found order by window_at, feature, kind)) as varchar) from (' ~ found ~ ') as found' -%}
    {{ return(fromjson(run_query(query).rows[0][0] or '[]')) }}
{% endmacro %}


{# The declaration of each column of a model's schema, as rows of declared_schemas(), and what it says of rows. #}
{% macro declared_schema(name) %}
    {{ return(eiderdown.declared_schemas([eiderdown.node_named(name)])) }}
{% endmacro %}


{# The project's node of a model's name, or of the schema.table that it builds. #}
{% macro node_named(name) %}
    {%- set known = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
        {%- set relation = node.schema ~ '.' ~ node.alias -%}
        {%- if name in [node.name, relation] and (node.version is none or node.version == node.latest_version or name == relation) -%}
            {{ return(node) }}
        {%- endif -%}
        {%- do known.append(relation) -%}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(name ~ " is no model of the project and no table that one builds; these are " ~ known | sort | join(', ')) }}
{% endmacro %}


{# The columns of checked_rows(), without rows. #}
{% macro no_checks() -%}
    select {% for name, type in eiderdown.monitoring_contracts().value_checks.columns.items() -%}
        cast(null as {{ type.replace(' not null', '') }}) as {{ name }}{{ ', ' if not loop.last }}
    {%- endfor %} where false
{%- endmacro %}
