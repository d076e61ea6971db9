{#
    What a feature view declares in its YAML, checked and completed.

    node: the view's node in the graph (a model with config.meta.feature_view). One with `inputs` is computed from the
    request: see request_view_declaration().
    Returns {view, version, relation, kind, inputs, entity, entity_types, event_at, known_at, ttl, online, features,
    description}: `kind` is 'stored', `ttl` is an interval as DuckDB writes it or none, `features` maps the name of each
    feature column to its type.
    A declaration that cannot hold is a compiler error that names the view, the field and the remedy.
#}
{% macro feature_view_declaration(node) %}
    {%- set name = node.name ~ ('_v' ~ node.version if node.version else '') -%}
    {%- set declared = (node.config.meta or {}).get('feature_view') -%}
    {%- if not declared -%}
        {{ exceptions.raise_compiler_error(
            "feature view " ~ name ~ ": no config.meta.feature_view in its YAML. Write, for example: "
            ~ "meta: {feature_view: {entity: [customer_id], event_at: event_at, known_at: known_at, ttl: 2 days}}"
        ) }}
    {%- endif -%}
    {%- if not node.version -%}
        {{ exceptions.raise_compiler_error(
            "feature view " ~ name ~ ": a feature view has versions. Name its file " ~ name ~ "_v1.sql and write in its YAML: "
            ~ "versions: [{v: 1}]"
        ) }}
    {%- endif -%}
    {%- if 'inputs' in declared -%}{{ return(eiderdown.request_view_declaration(node)) }}{%- endif -%}
    {%- set allowed = ['entity', 'event_at', 'known_at', 'ttl', 'online'] -%}
    {%- for field in declared -%}
        {%- if field not in allowed -%}
            {{ exceptions.raise_compiler_error(
                "feature view " ~ name ~ ": meta.feature_view has the unknown field '" ~ field ~ "'; the fields are "
                ~ allowed | join(', ')
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {%- if not declared.entity or declared.entity is string -%}
        {{ exceptions.raise_compiler_error(
            "feature view " ~ name ~ ": meta.feature_view.entity must be a list of key columns, such as [customer_id]"
        ) }}
    {%- endif -%}
    {%- set event_at = declared.get('event_at', 'event_at') -%}
    {%- set known_at = declared.get('known_at', 'known_at') -%}
    {%- set keys = declared.entity + [event_at, known_at] -%}
    {%- for key in keys -%}
        {%- if key not in node.columns -%}
            {{ exceptions.raise_compiler_error(
                "feature view " ~ name ~ ": the column '" ~ key ~ "' of meta.feature_view is not in the contract; "
                ~ "declare it under columns"
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {%- if eiderdown.primary_key(node) | sort != keys | unique | sort -%}
        {{ exceptions.raise_compiler_error(
            "feature view " ~ name ~ ": its primary key must be entity, event_at and known_at, so that corrections are "
            ~ "rows. Write under constraints: {type: primary_key, columns: [" ~ keys | unique | join(', ') ~ "]}"
        ) }}
    {%- endif -%}
    {%- set types = eiderdown.carried_types("feature view " ~ name, eiderdown.data_types(node)) -%}
    {%- for moment in [event_at, known_at] -%}
        {%- if types[moment].type != 'TIMESTAMP WITH TIME ZONE' -%}
            {{ exceptions.raise_compiler_error(
                "feature view " ~ name ~ ": the column '" ~ moment ~ "' is " ~ node.columns[moment].data_type
                ~ "; times are timestamptz"
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {%- set entity_types = {} -%}
    {%- for key in declared.entity -%}
        {%- if not types[key].is_key -%}
            {{ exceptions.raise_compiler_error(
                "feature view " ~ name ~ ": the key '" ~ key ~ "' is " ~ node.columns[key].data_type ~ "; a key is a text, an "
                ~ "integer, a decimal, a boolean, a date or a time, of which equal values have one form"
            ) }}
        {%- endif -%}
        {%- do entity_types.update({key: node.columns[key].data_type | lower}) -%}
    {%- endfor -%}
    {%- set features = {} -%}
    {%- for column in node.columns.values() if column.name not in keys -%}
        {%- do features.update({column.name: column.data_type}) -%}
    {%- endfor -%}
    {{ return({
        'view': node.name,
        'version': node.version | int,
        'relation': node.relation_name,
        'kind': 'stored',
        'inputs': {},
        'entity': declared.entity,
        'entity_types': entity_types,
        'event_at': event_at,
        'known_at': known_at,
        'ttl': declared.get('ttl'),
        'online': declared.get('online', true),
        'features': features,
        'description': node.description,
    }) }}
{% endmacro %}


{#
    What is to be known of the types of columns: {column: {type, is_key, is_scalar}}, `type` as DuckDB names it. One that does
    not arrive unchanged in datasets, releases and HTTP answers is a compiler error that names the column.
    ml/field_types.py says which types are carried.

    where: the model, for the error. declared: {column: data_type}.
#}
{% macro carried_types(where, declared) %}
    {%- set types = fromjson(run_query("select eiderdown_types(" ~ eiderdown.literal(tojson(declared)) ~ ")").rows[0][0]) -%}
    {%- for column, facts in types.items() if facts.problem -%}
        {{ exceptions.raise_compiler_error(where ~ ": the column '" ~ column ~ "': " ~ facts.problem) }}
    {%- endfor -%}
    {{ return(types) }}
{% endmacro %}


{# The types of a node's columns as they are declared: {column: data_type}. #}
{% macro data_types(node) %}
    {%- set types = {} -%}
    {%- for column in node.columns.values() -%}
        {%- do types.update({column.name: column.data_type}) -%}
    {%- endfor -%}
    {{ return(types) }}
{% endmacro %}


{# The columns of a node's primary key, declared on the model or on one column. #}
{% macro primary_key(node) %}
    {%- for constraint in node.constraints if constraint.type == 'primary_key' -%}
        {{ return(constraint.columns) }}
    {%- endfor -%}
    {%- set columns = [] -%}
    {%- for column in node.columns.values() -%}
        {%- for constraint in column.constraints if constraint.type == 'primary_key' -%}
            {%- do columns.append(column.name) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}


{# The declaration of the feature view that ref() returned. #}
{% macro declaration_of(view) %}
    {%- if model.resource_type == 'unit_test' -%}
        {{ return(eiderdown.recorded_declaration(view)) }}
    {%- endif -%}
    {{ return(eiderdown.feature_view_declaration(eiderdown.node_of(view))) }}
{% endmacro %}


{#
    The declaration that the table of a feature view carries, for a fixture in its place. In a unit test dbt's graph is
    empty and ref() gives a CTE, `__dbt__cte__<table>`; the table itself is there, since dbt takes the fixture's types from it.
#}
{% macro recorded_declaration(fixture) %}
    {%- set table = fixture.identifier.replace('__dbt__cte__', '') -%}
    {%- set query -%}
        select comment from duckdb_tables()
        where database_name = {{ eiderdown.literal(target.database) }} and table_name = {{ eiderdown.literal(table) }}
            and try(json_extract(comment, '$.definition.declaration.features')) is not null
    {%- endset -%}
    {%- set rows = run_query(query).rows -%}
    {%- if rows | length != 1 -%}
        {{ exceptions.raise_compiler_error(
            "unit test " ~ model.name ~ ": " ~ rows | length ~ " feature views in the warehouse are named " ~ table
            ~ ", and a fixture takes the declaration of one. Build it first, for example with dbt build --select +"
            ~ model.tested_node_unique_id.split('.')[2]
        ) }}
    {%- endif -%}
    {%- set recorded = fromjson(rows[0][0]) -%}
    {%- set declaration = recorded.definition.declaration -%}
    {%- set name = table.rsplit('_v', 1) -%}
    {%- do declaration.update({
        'view': name[0], 'version': name[1], 'name': table, 'relation': fixture, 'sql': recorded.request_sql,
        'kind': 'request' if recorded.request_sql else 'stored',
    }) -%}
    {{ return(declaration) }}
{% endmacro %}


{# The node of the graph that builds a relation. Only callable while models execute, when the graph is complete. #}
{% macro node_of(relation) %}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.relation_name == relation | string -%}
        {{ return(node) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(relation ~ " is not a model of this project; pass what ref() returns") }}
{% endmacro %}
