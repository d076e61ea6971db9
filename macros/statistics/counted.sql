{#
    The first part of statistics(), a CTE `counted`: what one pass over the rows counts and orders. columns: as
    profiled_columns() gives them; of each the statistics, with its prefix before their names.
#}
{% macro counted(rows, columns, by, slices) -%}
counted as materialized (
    {%- for slice in [none] + slices %}
    select
        {{ eiderdown.group_names(by) }}
        {{ "'all'" if slice is none else eiderdown.slice_name(slice, 'slice_' ~ (loop.index0 - 1)) }} as slice,
        {%- for column in columns %}
        {%- for name, expression in eiderdown.counts_of(column).items() %}
        {{ expression }} as {{ column.prefix ~ name }},
        {%- endfor %}
        {%- endfor %}
        count(*) as row_count
    from {{ rows }}
    {%- if by or slice is not none %}
    group by {{ eiderdown.group_names(by) }}{{ 'true' if slice is none else 'slice_' ~ (loop.index0 - 1) }}
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)
{%- endmacro %}


{# The aggregates of a column, {name: expression}; only those that its kind has. #}
{% macro counts_of(column) %}
    {%- set value, number, kind = column.value, column.number, column.kind -%}
    {%- set counts = {
        'present': 'count(' ~ value ~ ')',
        'state': 'approx_count_distinct(' ~ value ~ ') export_state',
    } -%}
    {%- if kind == 'floating' -%}
        {%- do counts.update({'nan': 'count_if(isnan(' ~ value ~ '))', 'infinite': 'count_if(isinf(' ~ value ~ '))'}) -%}
    {%- elif kind == 'time' -%}
        {%- do counts.update({'infinite': 'count_if(not isfinite(' ~ value ~ '))'}) -%}
    {%- endif -%}
    {%- if column.finite -%}
        {%- do counts.update({'low': 'min(' ~ number ~ ')', 'high': 'max(' ~ number ~ ')'}) -%}
    {%- endif -%}
    {%- if kind in ('integer', 'decimal', 'floating') -%}
        {%- do counts.update({'zero': 'count_if(' ~ value ~ ' = 0)'}) -%}
    {%- elif kind == 'boolean' -%}
        {%- do counts.update({'zero': 'count_if(not ' ~ value ~ ')'}) -%}
    {%- endif -%}
    {%- if kind in ('integer', 'decimal', 'time', 'text', 'boolean') -%}
        {%- set limited = 'if(isfinite(' ~ value ~ '), ' ~ value ~ ', null)' if kind == 'time' else value -%}
        {%- for name in ['min', 'max'] -%}
            {%- do counts.update({name: eiderdown.as_text(name ~ '(' ~ limited ~ ')', column.type)}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if column.finite and kind != 'boolean' -%}
        {%- do counts.update({
            'quantiles': 'quantile_disc(' ~ number ~ ', [' ~ eiderdown.quantile_fractions() | join(', ') ~ '])'
        }) -%}
    {%- endif -%}
    {%- set length = {'text': 'length(cast(' ~ value ~ ' as varchar))', 'list': 'len(' ~ value ~ ')', 'map': 'cardinality(' ~ value ~ ')'} -%}
    {%- if kind in length -%}
        {%- do counts.update({
            'least_length': 'min(' ~ length[kind] ~ ')',
            'mean_length': 'avg(' ~ length[kind] ~ ')',
            'greatest_length': 'max(' ~ length[kind] ~ ')',
        }) -%}
    {%- endif -%}
    {{ return(counts) }}
{% endmacro %}


{# A value as text that does not depend on the session's time zone. #}
{% macro as_text(expression, type) -%}
    {%- if type | lower in ('timestamptz', 'timestamp with time zone', 'timestamptz_ns') -%}
    cast({{ expression }} at time zone 'UTC' as varchar) || '+00'
    {%- else -%}
    cast({{ expression }} as varchar)
    {%- endif -%}
{%- endmacro %}
