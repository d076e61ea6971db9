{#
    The second part of statistics(), CTEs `ranges` (a row for each group) and `spread`: what needs to know the least and the
    greatest value of a group.

    A value is multiplied by the power of two that brings it to at most 1 (4 at the end of the range), which is exact and keeps sums and squares
    in the range of doubles. Of each column, with its prefix: mean and stddev, so scaled, of compensated sums; bins, a map from
    the number of a bin to its count. `few` says that an integer column has at most about 100 values.

    columns: as profiled_columns() gives them, with finite values.
#}
{% macro spread(rows, columns, by, slices) -%}
ranges as materialized (
    select
        {%- for name in by %}
        group_{{ loop.index0 }} as range_{{ loop.index0 }},
        {%- endfor %}
        {%- for column in columns %}
        {%- set low, high, unit = column.prefix ~ 'low', column.prefix ~ 'high', column.prefix ~ 'unit' %}
        {{ eiderdown.unit_of('greatest(abs(' ~ low ~ '), abs(' ~ high ~ '))') }} as {{ unit }},
        {{ low }} as {{ column.prefix }}first,
        {{ high }} as {{ column.prefix }}last,
        {{ low }} * {{ unit }} as {{ column.prefix }}from,
        ({{ high }} * {{ unit }} - {{ column.prefix }}from) / 10 as {{ column.prefix }}width,
        {%- if column.kind == 'integer' %}
        finalize({{ column.prefix }}state) <= 100 as {{ column.prefix }}few,
        {%- endif %}
        {%- endfor %}
    from counted
    where slice = 'all'
),

spread as materialized (
    {%- for slice in [none] + slices %}
    select
        {{ eiderdown.group_names(by) }}
        {{ "'all'" if slice is none else eiderdown.slice_name(slice, 'slice_' ~ (loop.index0 - 1)) }} as slice,
        {%- for column in columns %}
        {%- set scaled = column.number ~ ' * ' ~ column.prefix ~ 'unit' %}
        favg({{ scaled }}) as {{ column.prefix }}mean,
        {%- if column.kind != 'boolean' %}
        {#- Not histogram(), which DuckDB turns into a grouping of its own, over rows that it keeps in memory. #}
        histogram_exact({{ eiderdown.bin_of(scaled, column.prefix) }}, cast(range(10) as utinyint[])) as {{ column.prefix }}bins,
        {%- endif %}
        stddev_pop({{ scaled }}) as {{ column.prefix }}stddev{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ rows }}
    {{ eiderdown.join_ranges(by) }}
    {%- if by or slice is not none %}
    group by {{ eiderdown.group_names(by) }}{{ 'true' if slice is none else 'slice_' ~ (loop.index0 - 1) }}
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)
{%- endmacro %}


{# The power of two by which numbers of at most that size are multiplied, so that they are at most 1, without rounding. #}
{% macro unit_of(size) -%}
    pow(2, greatest(-1022, least(1022, -ceil(log2(coalesce(nullif({{ size }}, 0), 1))))))
{%- endmacro %}


{# The join of rows with the ranges of their group. #}
{% macro join_ranges(by) -%}
    inner join ranges on true
        {%- for name in by %} and group_{{ loop.index0 }} is not distinct from range_{{ loop.index0 }}{% endfor %}
{%- endmacro %}


{# The bin, 0 … 9, that a scaled value lies in: low <= value < high, by the very numbers that histogram_of() gives. #}
{% macro bin_of(scaled, prefix) -%}
    {%- set from, width = prefix ~ 'from', prefix ~ 'width' -%}
    {%- set near = 'trunc((' ~ scaled ~ ' - ' ~ from ~ ') / ' ~ width ~ ')' -%}
    {#- 0 * the value: least() skips a null. #}
    cast(0 * {{ scaled }} + if(
        {{ width }} > 0,
        least(9, {{ near }} - cast({{ scaled }} < {{ from }} + {{ near }} * {{ width }} as integer)
            + cast({{ scaled }} >= {{ from }} + ({{ near }} + 1) * {{ width }} as integer)),
        0
    ) as utinyint)
{%- endmacro %}
