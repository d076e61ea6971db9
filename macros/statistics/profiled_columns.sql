{#
    What statistics() does with each column: [{name, type, kind, value, number, finite, prefix}].

    kind: integer, decimal, floating, boolean, time, text, list, map or other. value, number: names for the column, and for its
    finite values as doubles. finite: the expression of these, none where the kind has none. columns: {name: type}.
#}
{% macro profiled_columns(columns) %}
    {%- set profiled = [] -%}
    {%- for name, type in columns.items() -%}
        {%- set kind = eiderdown.kind_of_type(type) -%}
        {%- set value = 'value_' ~ loop.index0 -%}
        {%- do profiled.append({
            'name': name,
            'type': type,
            'kind': kind,
            'value': value,
            'number': 'number_' ~ loop.index0,
            'finite': eiderdown.finite_number(eiderdown.quoted(name), kind, type),
            'prefix': 'of_' ~ loop.index0 ~ '_',
        }) -%}
    {%- endfor -%}
    {{ return(profiled) }}
{% endmacro %}


{# The kind of values of a SQL type: integer, decimal, floating, boolean, time, text, list, map or other. #}
{% macro kind_of_type(type) %}
    {%- set name = type | lower | trim -%}
    {%- set head = name.split('(')[0] | trim -%}
    {%- if name.endswith(']') -%}{{ return('list') }}{%- endif -%}
    {%- if name.startswith('timestamp') or name.startswith('datetime') or head == 'date' -%}{{ return('time') }}{%- endif -%}
    {%- set kinds = {
        'integer': [
            'tinyint', 'smallint', 'integer', 'bigint', 'hugeint', 'utinyint', 'usmallint', 'uinteger', 'ubigint', 'uhugeint',
            'int', 'int1', 'int2', 'int4', 'int8', 'int16', 'int32', 'int64', 'int128', 'short', 'long', 'signed', 'integral',
            'uint8', 'uint16', 'uint32', 'uint64', 'uint128',
        ],
        'decimal': ['decimal', 'numeric', 'dec'],
        'floating': ['double', 'double precision', 'float', 'float4', 'float8', 'real'],
        'boolean': ['boolean', 'bool', 'logical'],
        'text': ['varchar', 'text', 'string', 'char', 'bpchar', 'enum', 'uuid', 'json'],
        'map': ['map'],
    } -%}
    {%- for kind, names in kinds.items() if head in names -%}{{ return(kind) }}{%- endfor -%}
    {{ return('other') }}
{% endmacro %}


{# The finite values of a column as doubles, -0.0 as 0.0; seconds since 1970 of times. None where a kind has no such values. #}
{% macro finite_number(column, kind, type) %}
    {#- A date may lie beyond what microseconds can count; epoch() of a timestamp is not always the nearest double. #}
    {%- set seconds = 'epoch(' ~ column ~ ')' if type | lower | trim == 'date' else 'epoch_us(' ~ column ~ ') / 1e6' -%}
    {%- set number = {
        'integer': 'cast(' ~ column ~ ' as double)',
        'decimal': 'cast(' ~ column ~ ' as double)',
        'boolean': 'cast(' ~ column ~ ' as double)',
        'floating': 'if(isfinite(' ~ column ~ '), cast(' ~ column ~ ' as double) + 0, null)',
        'time': 'if(isfinite(' ~ column ~ '), ' ~ seconds ~ ', null)',
    } -%}
    {{ return(number.get(kind)) }}
{% endmacro %}
