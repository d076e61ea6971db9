{#
    Numbers of both sides in order, without sorting them all: the CTEs `number_groups` and `number_leaves`.

    Groups are 32,768 parts of one width of the range of both sides (or one for each value, where the reference may have few).
    Between the ends of a group the difference of the two distribution functions, times n·m an integer, moves by no more than
    the group's rows. So the area under its absolute value follows from sums of values wherever its sign cannot change, and its
    maximum lies in no group that cannot reach the greatest one at an end. Only the rows of the other groups, and of those that
    an edge of a bin parts, are sorted (`is_sorted`); of a million rows a side some per cent.

    number_groups: pair, part, low, high, a and b (rows of the reference and of current), offset_a and offset_b (sums of value -
    pair_low), before and after (the difference at both ends), is_sorted. number_leaves: pair, value, a, b of what is not parted
    further, which gives the counts of bins.
#}
{% macro number_groups(reference, current, numbers, by) %}
{%- set parts = 32768 %}
grouped_numbers as materialized (
    {%- for column, expression in numbers.items() %}
    select
        pair,
        part,
        min(value) as low,
        max(value) as high,
        sum(is_reference) as a,
        count(*) - sum(is_reference) as b,
        sum((value - pair_low) * is_reference) as offset_a,
        sum((value - pair_low) * (1 - is_reference)) as offset_b,
        sum(standard * standard * standard * is_reference) as cubes
    from ({{ eiderdown.number_parts(reference, current, column, expression, by, parts) }})
    group by pair, part
    {{- ' union all' if not loop.last }}
    {%- else %}
    {{ eiderdown.nothing({
        'pair': 'integer', 'part': 'double', 'low': 'double', 'high': 'double', 'a': 'bigint', 'b': 'bigint',
        'offset_a': 'double', 'offset_b': 'double', 'cubes': 'double',
    }) }}
    {%- endfor %}
),

number_pairs as materialized (
    select
        pairs.*,
        -- Doane's number of bins, as numpy.histogram_bin_edges(…, 'doane') of the reference.
        if(
            n > 2 and sigma > 0 and reference_high > reference_low,
            ceil(
                (reference_high - reference_low) / (
                    (reference_high - reference_low)
                    / (1 + log2(n) + log2(1 + abs(cubes / n) / sqrt(6.0 * (n - 2) / (n + 1.0) / (n + 3))))
                )
            ),
            1
        ) as doane,
        may_be_few and reference_groups <= 20 as is_few
    from pairs
    inner join (
        select pair, sum(cubes order by part) as cubes, count(*) filter (a > 0) as reference_groups
        from grouped_numbers
        group by pair
    ) using (pair)
),

ordered_groups as materialized (
    select
        * exclude (cubes),
        sum(weight) over in_order as after,
        sum(a + b) over in_order as seen,
        lead(low) over in_order as next_low
    from (
        select grouped_numbers.* replace (cast(a as double) as a, cast(b as double) as b), cast(a as double) * m - cast(b as double) * n as weight
        from grouped_numbers
        inner join pairs using (pair)
    )
    window in_order as (partition by pair order by low rows between unbounded preceding and current row)
),

number_groups as materialized (
    select
        ordered_groups.*,
        after - weight as before,
        low < high and (
            (before - b * n < 0 and before + a * m > 0)
            or greatest(before + a * m, b * n - before) > greatest_end
            or ({{ eiderdown.sturges_bin('low') }}) <> ({{ eiderdown.sturges_bin('high') }})
            or ({{ eiderdown.doane_bin('low') }}) <> ({{ eiderdown.doane_bin('high') }})
        ) as is_sorted
    from ordered_groups
    inner join number_pairs using (pair)
    inner join (select pair, max(abs(after)) as greatest_end from ordered_groups group by pair) using (pair)
),

sorted_groups as materialized (
    select pair, part, high, n, m, after - sum(weight) over (partition by pair order by low) as skipped
    from number_groups
    inner join pairs using (pair)
    where is_sorted
),

sorted_numbers as materialized (
    {%- for column, expression in numbers.items() %}
    select pair, value, high, skipped, cast(if(is_reference = 1, m, -n) as double) as weight
    from ({{ eiderdown.number_parts(reference, current, column, expression, by, parts) }})
    inner join sorted_groups using (pair, part)
    {{- ' union all' if not loop.last }}
    {%- else %}
    {{ eiderdown.nothing({
        'pair': 'integer', 'value': 'double', 'high': 'double', 'skipped': 'double', 'weight': 'double',
    }) }}
    {%- endfor %}
),

number_leaves as (
    select pair, low as value, a, b from number_groups
    where not is_sorted
    union all
    select pair, value, cast(weight > 0 as integer), cast(weight < 0 as integer) from sorted_numbers
)
{% endmacro %}


{# The rows of a number with their pair and part of its range. #}
{% macro number_parts(reference, current, column, expression, by, parts) %}
    select
        pair,
        value,
        is_reference,
        pair_low,
        (value - mean) / nullif(sigma, 0) as standard,
        if(may_be_few, value, floor(coalesce((value - pair_low) / nullif(pair_high - pair_low, 0), 0) * {{ parts }})) as part
    from ({{ eiderdown.drift_rows(reference, current, expression, by) }}) as given
    inner join pairs on {{ eiderdown.is_of_pair(column, by) }}
{% endmacro %}


{# A query that gives columns of these types and no row. #}
{% macro nothing(columns) -%}
    select {% for name, type in columns.items() %}cast(null as {{ type }}) as {{ name }}{{ ', ' if not loop.last }}{% endfor %} where false
{%- endmacro %}
