{#
    Columns as they are compared between windows, what follows in a select list: a time by the seconds that it lies behind the row's
    `at`, since all times move on; the rest as it is.

    columns: {name: type}. at: an expression.
#}
{% macro compared_columns(columns, at) -%}
    {%- for column, type in columns.items() -%}
    , {% if eiderdown.is_moment(type) %}epoch({{ eiderdown.quoted(column) }}) - epoch({{ at }}) as {% endif %}{{ eiderdown.quoted(column) }}
    {%- endfor -%}
{%- endmacro %}


{# The types of what compared_columns() gives: {name: type}, of columns {name: type}. #}
{% macro compared_types(columns) %}
    {%- set types = {} -%}
    {%- for column, type in columns.items() -%}
        {%- do types.update({column: 'double' if eiderdown.is_moment(type) else type}) -%}
    {%- endfor -%}
    {{ return(types) }}
{% endmacro %}


{# Whether values of a type are points in time. #}
{% macro is_moment(type) -%}
    {%- set name = type | lower | trim -%}
    {{ return(']' not in name and (name == 'date' or name.startswith('timestamp') or name.startswith('datetime'))) }}
{%- endmacro %}
