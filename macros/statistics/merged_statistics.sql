{#
    The statistics of several groups together, from their rows of statistics() alone: of a quarter from its months, say.

    rows: a table, or a query in brackets, with the columns that statistics() gives. by: columns of which each combination is
    one merged group, such as ['slice', 'feature', 'type']; parts that are merged must not share rows of the relation.
    Returned columns: `by` and the statistics. How near they are to those of all the rows at once:

      counts, min, max, lengths   equal (of decimals that one double stands for: one of them)
      mean, stddev                equal to 11 digits (Chan, Golub, LeVeque: the deviation from the parts' means and deviations)
      distinct_count              exact where each part lists its values, otherwise that of the merged HyperLogLog, the very
                                  estimate over all rows (standard error 3.3 %)
      quantiles                   values whose rank is wrong by at most 2.5 % of the rows: half the step of the fractions
      quantile_histogram          its edges as the quantiles; counts as of the true ones
      histogram                   ten bins over the merged range; at an edge, the number of rows below is wrong by at most what
                                  the parts' bins hold that this edge cuts (spread evenly)
      top_values                  counts too low by at most the 20th count of each part that does not list the value; none where a
                                  part has values and no list
#}
{% macro merged_statistics(rows, by) -%}
    {{ return(adapter.dispatch('merged_statistics', 'eiderdown')(rows, by)) }}
{%- endmacro %}

{% macro default__merged_statistics(rows, by) -%}
{%- set keys = by | join(', ') -%}
with given as materialized (
    select
        *,
        dense_rank() over (order by {{ keys }}) as merged,
        row_count - missing_count as present_count,
        row_count - missing_count - nan_count - infinite_count as finite_count,
        quantile_histogram[1].low as low,
        quantile_histogram[-1].high as high
    from {{ rows }}
),

parts as materialized (
    select
        *,
        sum(finite_count) over same_group as finite_total,
        finite_count / nullif(sum(finite_count) over same_group, 0) as weight,
        min(low) over same_group as least,
        max(high) over same_group as greatest,
        {{ eiderdown.unit_of('greatest(abs(least), abs(greatest))') }} as unit
    from given
    window same_group as (partition by merged)
),

means as materialized (
    select merged, fsum(weight * mean) as mean from parts group by merged
),

{{ eiderdown.merged_quantiles() }},

{{ eiderdown.merged_histogram() }},

{{ eiderdown.merged_top_values() }},

merged_parts as (
    select
        merged,
        {%- for name in by %}
        any_value({{ name }}) as {{ name }},
        {%- endfor %}
        {%- for count in ['row', 'missing', 'nan', 'infinite', 'zero'] %}
        cast(sum({{ count }}_count) as bigint) as {{ count }}_count,
        {%- endfor %}
        combine_aggr(to_aggregate_state(
            {'precision': cast(log2(len(distinct_registers)) as utinyint), 'registers': distinct_registers},
            'approx_count_distinct', ['VARCHAR']
        )) as state,
        any_value(means.mean) as mean,
        sqrt(fsum(weight * (pow(stddev * unit, 2) + pow(parts.mean * unit - means.mean * unit, 2)))) / any_value(unit) as stddev,
        min_by(min, {{ eiderdown.extreme_key('min', 'low') }}) filter (min is not null) as min,
        max_by(max, {{ eiderdown.extreme_key('max', 'high') }}) filter (max is not null) as max,
        min(least_length) as least_length,
        fsum(mean_length * present_count) / nullif(sum(present_count) filter (mean_length is not null), 0) as mean_length,
        max(greatest_length) as greatest_length,
        any_value(least) as least,
        any_value(greatest) as greatest,
        any_value(finite_total) as finite_total,
        bool_and(len(top_values) = distinct_count) as is_listed
    from parts
    inner join means using (merged)
    group by merged
)

select
    {{ keys }},
    row_count,
    missing_count,
    nan_count,
    infinite_count,
    zero_count,
    if(is_listed, coalesce(listed_count, 0), finalize(state)) as distinct_count,
    cast(format('{:.12g}', mean) as double) as mean,
    cast(format('{:.12g}', if(least = greatest, 0, stddev)) as double) as stddev,
    min,
    max,
    coalesce(quantiles, map()) as quantiles,
    coalesce(histogram, []) as histogram,
    if(quantiles is null, [], [{
        'low': deciles[bin],
        'high': deciles[bin + 1],
        'row_count': cast((bin * finite_total + 9) // 10 - ((bin - 1) * finite_total + 9) // 10 as bigint)
    } for bin in range(1, 11)]) as quantile_histogram,
    coalesce(top_values, []) as top_values,
    least_length,
    mean_length,
    greatest_length,
    cast(state as struct(p utinyint, registers utinyint[])).registers as distinct_registers
from merged_parts
left join merged_quantiles using (merged)
left join merged_histogram using (merged)
left join merged_top_values using (merged)
{%- endmacro %}


{# What orders the texts of minima or maxima: their number where there is one (number: its column), otherwise the text. #}
{% macro extreme_key(text, number) -%}
    row({{ number }}, if({{ number }} is null, null, try_cast({{ text }} as hugeint)), try_cast({{ text }} as decimal(38, 10)), {{ text }})
{%- endmacro %}


{#
    A CTE of quantiles, and of the deciles with both ends, of each merged group.

    Between two neighbouring quantiles a part's share of values at or below lies between their fractions; half-way is taken, so
    that it is wrong by half the step at most.
#}
{% macro merged_quantiles() %}
{%- set fractions = eiderdown.quantile_fractions() -%}
{%- set points = [0] + fractions + [1] -%}
merged_quantiles as (
    select
        merged,
        map(
            cast({{ fractions }} as double[]),
            [{% for fraction in fractions %}min(value) filter (share >= {{ fraction }} - 1e-9){{ ', ' if not loop.last }}{% endfor %}]
        ) as quantiles,
        [
            min(value),
            {%- for decile in range(1, 10) %} min(value) filter (share >= {{ decile / 10 }} - 1e-9),{% endfor %} max(value)
        ] as deciles
    from (
        select merged, value, sum(step) over (partition by merged order by value range unbounded preceding) as share
        from (
            select
                merged,
                unnest(list_concat([low], map_values(quantiles), [high])) as value,
                weight * unnest([
                    {%- for point in points -%}
                    {%- set reached = 1 if loop.last else (point + points[loop.index]) / 2 -%}
                    {%- set before = 0 if loop.first else (points[loop.index0 - 1] + point) / 2 -%}
                    cast({{ reached - before }} as double){{ ', ' if not loop.last }}
                    {%- endfor -%}
                ]) as step
            from parts
            where low is not null
        )
    )
    group by merged
)
{%- endmacro %}


{# A CTE of the ten bins of one width of each merged group. #}
{% macro merged_histogram() %}
merged_histogram as (
    select
        merged,
        if(
            any_value(least) = any_value(greatest),
            [{'low': any_value(least), 'high': any_value(greatest), 'row_count': any_value(finite_total)}],
            list(
                {'low': low, 'high': high, 'row_count': cast(round(below) - round(before) as bigint)} order by edge
            ) filter (edge > 0)
        ) as histogram
    from (
        select
            merged,
            edge,
            least,
            greatest,
            cast(finite_total as bigint) as finite_total,
            lag(value) over edges as low,
            value as high,
            below,
            lag(below) over edges as before
        from (
            select
                merged,
                edge,
                any_value(least) as least,
                any_value(greatest) as greatest,
                any_value(finite_total) as finite_total,
                any_value(value) as value,
                fsum(row_count * case
                    when edge = 0 then 0
                    when edge = 10 or high <= value then 1
                    when low >= value then 0
                    else (value * unit - low * unit) / (high * unit - low * unit)
                end) as below
            from (
                select
                    merged,
                    least,
                    greatest,
                    finite_total,
                    unit,
                    edge,
                    case edge when 0 then least when 10 then greatest
                        else (least * unit + edge * ((greatest * unit - least * unit) / 10)) / unit end as value,
                    unnest(histogram, max_depth := 2)
                from (select * exclude (low, high, row_count) from parts where low is not null)
                cross join range(11) as edges (edge)
            )
            group by merged, edge
        )
        window edges as (partition by merged order by edge)
    )
    group by merged
)
{%- endmacro %}


{# A CTE of the commonest values of each merged group, and of how many are listed. #}
{% macro merged_top_values() %}
merged_top_values as (
    select
        merged,
        count(*) as listed_count,
        [
            {'value': top.value, 'row_count': -top.uncommon}
            for top in min({'uncommon': -value_count, 'value': value}, 20)
        ] as top_values
    from (
        select merged, top.value, cast(sum(top.row_count) as bigint) as value_count
        from (
            select merged, unnest(top_values) as top
            from parts
            qualify bool_and(len(top_values) > 0 or present_count = 0) over (partition by merged)
        )
        group by all
    )
    group by merged
)
{%- endmacro %}
