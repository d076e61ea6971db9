{#
    Statistics of a feature view's table, in one pass: {row_count, entity_count, first_event_at, latest_event_at,
    latest_known_at, columns: {name: {null_count, distinct_count, min, max, mean}}}; `distinct_count` is an estimate
    (HyperLogLog), `mean` has six digits, since the order of a sum of doubles is not one in every run.
#}
{% macro view_statistics(declaration) %}
    {%- set query -%}
        select to_json({
            'row_count': count(*),
            'entity_count': count(distinct {{ 'row(' ~ declaration.entity | join(', ') ~ ')' }}),
            'first_event_at': min({{ declaration.event_at }}),
            'latest_event_at': max({{ declaration.event_at }}),
            'latest_known_at': max({{ declaration.known_at }}),
            'columns': {
                {%- for name, type in declaration.features.items() %}
                '{{ name }}': {
                    'null_count': count(*) - count({{ name }}),
                    'distinct_count': approx_count_distinct({{ name }}),
                    'min': cast(min({{ name }}) as varchar),
                    'max': cast(max({{ name }}) as varchar),
                    'mean': {% if type.split('(')[0] | lower in eiderdown.number_types() and '[' not in type -%}
                        cast(format('{:.6g}', avg(cast({{ name }} as double))) as double)
                        {%- else -%} null {%- endif %}
                }{{ ',' if not loop.last }}
                {%- endfor %}
            }
        })
        from {{ this }}
    {%- endset -%}
    {{ return(fromjson(run_query(query).rows[0][0])) }}
{% endmacro %}


{# The types that have a mean. #}
{% macro number_types() %}
    {{ return([
        'tinyint', 'smallint', 'integer', 'int', 'bigint', 'hugeint', 'utinyint', 'usmallint', 'uinteger', 'ubigint',
        'float', 'real', 'double', 'decimal', 'numeric', 'boolean', 'bool',
    ]) }}
{% endmacro %}
