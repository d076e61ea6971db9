{#
    Statistics of the columns of any relation: a select statement with a row for each group, slice and column.

    relation: a table, or a query in brackets. columns: {name: type}, as DuckDB or the YAML writes types; none for all columns of
    the relation. by: {name: expression}, the groups that are profiled each on its own, such as {'window_at': window_of(…)}.
    slices: names of columns; each of their values is profiled as well, within its group.

    Returned columns: those of `by`, and
      slice              'all', 'column=value' or 'column is null'
      feature, type      the column's name and type
      row_count, missing_count, nan_count, infinite_count, zero_count   zero: 0, or false
      distinct_count     exact for text, booleans and integers of few values, otherwise HyperLogLog's (standard error 3.3 %)
      mean, stddev       of the finite values, to 12 significant digits: more would depend on the order of the rows; the
                         deviation is that of the population
      min, max           of the finite values, as text; times in UTC
      quantiles          fraction -> value, for quantile_fractions(): the least value with at least that share of the finite
                         values at or below it (the inverted distribution function), exactly
      histogram          ten bins of one width from min to max of the group (of all its slices, so that these can be compared);
                         low <= value < high, and the last one holds its high. One bin where there is one value
      quantile_histogram ten bins of as many values each, ties parted by rank
      top_values         the 20 commonest values of text, booleans and integers of few values, the commonest first, then by text
      least_length, mean_length, greatest_length   characters of text, elements of lists and maps
      distinct_registers the state of HyperLogLog, by which merged_statistics() counts distinct values of groups together

    Times count as seconds since 1970 in mean, stddev, quantiles and histograms; booleans have mean and stddev of 0 and 1. A column
    of another type (structs, intervals, bytes) has counts only. A relation without rows has one group only where `by` is
    empty; its counts are zero.

    The relation is read for counts and quantiles; again for what needs min and max (histograms, mean and deviation: scaled,
    so that no sum overflows); both once more for each slice; and one column at a time for values by their counts. Memory: the
    numeric values once, as doubles, for the quantiles, and an entry for each distinct text.
#}
{% macro statistics(relation, columns=none, by={}, slices=[]) -%}
    {{ return(adapter.dispatch('statistics', 'eiderdown')(relation, columns, by, slices)) }}
{%- endmacro %}

{% macro default__statistics(relation, columns, by, slices) -%}
{%- if not columns and not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set columns = columns or eiderdown.described_columns(relation) -%}
{%- set profiled = eiderdown.profiled_columns(columns) -%}
{%- set numbers = profiled | selectattr('finite') | list -%}
{%- set listed = profiled | selectattr('kind', 'in', ['text', 'boolean', 'integer']) | list -%}
with given as not materialized (
    select
        {%- for expression in by.values() %}
        {{ expression }} as group_{{ loop.index0 }},
        {%- endfor %}
        {%- for name in slices %}
        {{ eiderdown.quoted(name) }} as slice_{{ loop.index0 }},
        {%- endfor %}
        {%- for column in profiled %}
        {{ eiderdown.quoted(column.name) }} as {{ column.value }},
        {%- if column.finite %}
        {{ column.finite }} as {{ column.number }},
        {%- endif %}
        {%- endfor %}
    from {{ relation }}
),

{{ eiderdown.counted('given', profiled, by, slices) }}
{%- if numbers %},

{{ eiderdown.spread('given', numbers, by, slices) }}
{%- endif %}
{%- if listed %},

{{ eiderdown.tallied('given', listed, by, slices) }}
{%- endif %}

select
    {%- for name in by %}
    counted.group_{{ loop.index0 }} as {{ name }},
    {%- endfor %}
    counted.slice,
    unnest([
        {%- for column in profiled %}
        {{ eiderdown.statistics_of(column) }}{{ ',' if not loop.last }}
        {%- endfor %}
    ], max_depth := 2)
from counted
{%- if numbers %}
left join ranges on true
    {%- for name in by %} and counted.group_{{ loop.index0 }} is not distinct from range_{{ loop.index0 }}{% endfor %}
{%- endif %}
{%- for part in (['spread'] if numbers else []) + (['tallied'] if listed else []) %}
left join {{ part }}
    on counted.slice = {{ part }}.slice
    {%- for name in by %} and counted.group_{{ loop.index0 }} is not distinct from {{ part }}.group_{{ loop.index0 }}{% endfor %}
{%- endfor %}
{%- endmacro %}


{# The fractions of which the quantiles are kept: every twentieth, and a hundredth at both ends. #}
{% macro quantile_fractions() %}
    {{ return([0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5,
               0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99]) }}
{% endmacro %}


{# The columns of a group in the CTEs of statistics(), each followed by a comma. #}
{% macro group_names(by) -%}
    {% for name in by %}group_{{ loop.index0 }}, {% endfor %}
{%- endmacro %}


{# The name of a slice: 'column=value' or 'column is null'. name: that of the column; value: its expression. #}
{% macro slice_name(name, value) -%}
    coalesce({{ eiderdown.literal(name ~ '=') }} || cast({{ value }} as varchar), {{ eiderdown.literal(name ~ ' is null') }})
{%- endmacro %}


{# The columns of a table or of a query in brackets, {name: type}. #}
{% macro described_columns(relation) %}
    {%- set columns = {} -%}
    {%- for row in run_query("select column_name, column_type from (describe from " ~ relation ~ ")").rows -%}
        {%- do columns.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}


{# The name of a column as SQL has it. #}
{% macro quoted(name) -%}
    "{{ name.replace('"', '""') }}"
{%- endmacro %}
