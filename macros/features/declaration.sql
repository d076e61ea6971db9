{#
    What a feature view declares in its YAML, checked and completed.

    node: the view's node in the graph (a model with config.meta.feature_view). One with `inputs` is computed from the
    request: see request_view_declaration().
    Returns {view, version, relation, kind, inputs, entity, entity_types, event_at, known_at, ttl, online, features,
    description}: `kind` is 'stored', `ttl` is an interval as DuckDB writes it or none, `features` maps the name of each feature column to its type.
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
    {%- for moment in [event_at, known_at] -%}
        {%- if node.columns[moment].data_type | lower not in ('timestamptz', 'timestamp with time zone') -%}
            {{ exceptions.raise_compiler_error(
                "feature view " ~ name ~ ": the column '" ~ moment ~ "' is " ~ node.columns[moment].data_type
                ~ "; times are timestamptz"
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {%- set entity_types = {} -%}
    {%- for key in declared.entity -%}
        {%- set type = node.columns[key].data_type | lower -%}
        {%- if type.split('(')[0] not in eiderdown.key_types() -%}
            {{ exceptions.raise_compiler_error(
                "feature view " ~ name ~ ": the key '" ~ key ~ "' is " ~ type ~ "; a key is one of "
                ~ eiderdown.key_types() | join(', ')
            ) }}
        {%- endif -%}
        {%- do entity_types.update({key: type}) -%}
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


{# The types that an entity's key can have: those in which equal values have one form, in SQL and in a request. #}
{% macro key_types() %}
    {{ return(['varchar', 'tinyint', 'smallint', 'integer', 'bigint', 'boolean', 'date', 'timestamp', 'timestamptz', 'decimal']) }}
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


{# The node of the graph that builds a relation. Only callable while models execute, when the graph is complete. #}
{% macro node_of(relation) %}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.relation_name == relation | string -%}
        {{ return(node) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(relation ~ " is not a model of this project; pass what ref() returns") }}
{% endmacro %}
