{#
    The third part of statistics(), a CTE `tallied`: of each column, with its prefix, the number of its distinct values and the
    20 commonest. columns: as profiled_columns() gives them, of text, booleans and integers; of these only where `ranges` says
    that their values are few.
#}
{% macro tallied(rows, columns, by, slices) -%}
{%- set groups = eiderdown.group_names(by) -%}
tallied as materialized (
    with tallies as materialized (
        {%- for column in columns %}
        select
            {{ groups }}
            {%- for name in slices %}
            slice_{{ loop.index0 }},
            {%- endfor %}
            {{ loop.index0 }} as place,
            cast({{ column.value }} as varchar) as value,
            count(*) as value_count
        from {{ rows }}
        {%- if column.kind == 'integer' %}
        {{ eiderdown.join_ranges(by) }} and {{ column.prefix }}few
        {%- endif %}
        where {{ column.value }} is not null
        group by all
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    )

    select
        {{ groups }}
        slice,
        {%- for column in columns %}
        {%- set of_column = 'filter (place = ' ~ loop.index0 ~ ')' %}
        count(*) {{ of_column }} as {{ column.prefix }}distinct,
        min({'uncommon': -value_count, 'value': value}, 20) {{ of_column }} as {{ column.prefix }}top{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        {%- for slice in [none] + slices %}
        select
            {{ groups }}
            {{ "'all'" if slice is none else eiderdown.slice_name(slice, 'slice_' ~ (loop.index0 - 1)) }} as slice,
            place,
            value,
            cast(sum(value_count) as bigint) as value_count
        from tallies
        group by all
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    )
    group by {{ groups }}slice
)
{%- endmacro %}
