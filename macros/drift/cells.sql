{# The CTE `category_counts`: pair, a and b, the rows of the reference and of current, a row for each value that is not null. #}
{% macro category_counts(reference, current, categories, by, each) %}
category_counts as (
    {%- for column, expression in categories.items() %}
    select pair, cast(sum(a) as double) as a, cast(sum(b) as double) as b
    from (
        select counted.*, {{ each.keys() | map('string') | join(', ') ~ ', ' if each }}0 as b
        from ({{ eiderdown.counted_values(reference, expression, by, 'a') }}) as counted
        {{- eiderdown.each_value(each) }}
        union all by name
        select *, 0 as a from ({{ eiderdown.counted_values(current, expression, by + each.keys() | list, 'b') }})
    ) as given
    inner join pairs on {{ eiderdown.is_of_pair(column, by + each.keys() | list) }}
    group by pair, value
    {{- ' union all' if not loop.last }}
    {%- else %}
    {{ eiderdown.nothing({'pair': 'integer', 'a': 'double', 'b': 'double'}) }}
    {%- endfor %}
),
{% endmacro %}


{# How many rows of a relation have each value that is not null, in a column of the name `count`. #}
{% macro counted_values(relation, expression, by, count) -%}
    select {% for name in by %}{{ name }}, {% endfor %}{{ expression }} as value, count(*) as {{ count }}
    from {{ relation }}
    where value is not null
    group by all
{%- endmacro %}


{#
    The CTE `number_comparisons`: pair, ks, area, spread, sigma and cells, see ml/drift/numbers.py. A column at a time, so that no
    more than one is held in memory; of each group the reference is sorted once, whatever it is compared with.
#}
{% macro number_comparisons(reference, current, numbers, by, each) %}
number_comparisons as materialized (
    {%- for column, expression in numbers.items() %}
    select pair, compared.*
    from (
        select
            {%- for name in by %}
            old.{{ name }},
            {%- endfor %}
            {%- if each %}
            unnest(eachs, max_depth := 2),
            {%- endif %}
            unnest(drift_of_numbers(old.sample, samples)) as compared
        from ({{ eiderdown.sampled_values(reference, expression, by) }}) as old
        inner join (
            select
                {%- for name in by %}
                {{ name }},
                {%- endfor %}
                {%- if each %}
                list({ {%- for name in each %}'{{ name }}': {{ name }}{{ ', ' if not loop.last }}{% endfor -%} }) as eachs,
                {%- endif %}
                list(sample) as samples
            from ({{ eiderdown.sampled_values(current, expression, by + each.keys() | list) }})
            {{ 'group by ' ~ by | join(', ') if by }}
        ) as new
            on {% for name in by %}old.{{ name }} is not distinct from new.{{ name }} and {% endfor %}old.sample is not null
    ) as given
    inner join pairs on {{ eiderdown.is_of_pair(column, by + each.keys() | list) }}
    {{- ' union all' if not loop.last }}
    {%- else %}
    {{ eiderdown.nothing({
        'pair': 'integer', 'ks': 'double', 'area': 'double', 'spread': 'double', 'sigma': 'double',
        'cells': 'struct(is_doane boolean, a double, b double)[]',
    }) }}
    {%- endfor %}
),
{% endmacro %}


{# The values of a number that are not missing, a list for each group that has some. #}
{% macro sampled_values(relation, expression, by) -%}
    select {% for name in by %}{{ name }}, {% endfor %}list(value) as sample
    from (
        select {% for name in by %}{{ name }}, {% endfor %}{{ expression }} as value
        from {{ relation }}
        where abs(value) < 1e100
    )
    {{ 'group by ' ~ by | join(', ') if by else 'having count(*) > 0' }}
{%- endmacro %}


{#
    The CTE `cells`: pair, is_doane, is_number, a, b, n, m, a row for each bin or value that has rows. Doane's bins are those of
    js_distance_log2 where a number is binned.
#}
{% macro drift_cells() %}
cells as (
    select counted_cells.*, n, m
    from (
        select pair, false as is_doane, false as is_number, a, b from category_counts
        union all
        select pair, cell.is_doane, true, cell.a, cell.b
        from (select pair, unnest(cells) as cell from number_comparisons)
    ) as counted_cells
    inner join pairs using (pair)
),
{% endmacro %}


{# Repeats rows for each value of the columns that current has and the reference has not. #}
{% macro each_value(each) -%}
    {%- for name, query in each.items() %}
    cross join ({{ query }}) as each_{{ name }} ({{ name }})
    {%- endfor %}
{%- endmacro %}


{# A query that gives columns of these types and no row. #}
{% macro nothing(columns) -%}
    select {% for name, type in columns.items() %}cast(null as {{ type }}) as {{ name }}{{ ', ' if not loop.last }}{% endfor %} where false
{%- endmacro %}
