{#
    Bootstrap by groups of rows: what a resampled metric costs depends on the number of groups, not of rows.

    A row falls into one of 512 buckets by the md5 of its row id. A replicate gives each bucket a weight from Poisson(1)
    (Hanley & MacGibbon 2006, "Creating non-parametric bootstrap samples using Poisson frequencies"), from the md5 of its
    number and the bucket's. A metric is a function of sums over rows, so each replicate is that function of the weighted
    sums over buckets. Since weights follow from row ids alone, all that was scored on the same rows is resampled
    together. Replicate 0 has all weights 1: it is the metric itself.
#}
{% macro bucket_of(row_id) -%}
    {%- if row_id is none -%}0{%- else -%}cast(md5_number_lower(cast({{ row_id }} as varchar)) % 512 as integer){%- endif -%}
{%- endmacro %}


{#
    The CTE `resampling`: replicate, weights (double[]). Without a row id there is replicate 0 alone, of one bucket.

    An md5 is most of the cost, so one gives four weights, each from 16 bits: a weight is off by at most 2^-17 in probability.
#}
{% macro resampling(row_id, replicates) %}
{#- 2^16 · P(X <= k) for X from Poisson(1), k = 0, 1, … -#}
{%- set steps = [24109, 48219, 60273, 64292, 65296, 65497, 65531, 65535] -%}
resampling as materialized (
    select
        replicate,
        list(
            if(replicate = 0, 1.0, 0.0{% for step in steps %} + cast(part >= {{ step }} as integer){% endfor %})
            order by bucket
        ) as weights
    from (
        select replicate, 4 * four + place as bucket, (digest >> (16 * place)) & 65535 as part
        from (
            select replicate, four, md5_number_lower(replicate || ':' || four) as digest
            from range({{ 1 if row_id is none else replicates + 1 }}) as replicates (replicate),
                range({{ 1 if row_id is none else 512 // 4 }}) as fours (four)
        ),
            range({{ 1 if row_id is none else 4 }}) as places (place)
    )
    group by replicate
)
{% endmacro %}


{#
    Rows (keys…, replicate, statistics…) with the weighted sums of each replicate.

    statistics: a CTE with a row for each bucket that has rows: keys, bucket and the sums over these rows.
    names: the statistics. keys: columns.
#}
{% macro weighted_sums(statistics, names, keys, row_id) %}
    select {{ keys | join(', ') }}, replicate
        {%- for name in names %}, list_dot_product({{ name }}, weights) as {{ name }}{% endfor %}
    from (
        select
            {{ keys | join(', ') }}
            {%- for name in names %},
            list(coalesce(cast({{ name }} as double), 0) order by bucket) as {{ name }}
            {%- endfor %}
        from (
            select *
            from (select distinct {{ keys | join(', ') }} from {{ statistics }}),
                range({{ 1 if row_id is none else 512 }}) as buckets (bucket)
        )
        left join {{ statistics }} using ({{ keys | join(', ') }}, bucket)
        group by {{ keys | join(', ') }}
    )
    cross join resampling
{% endmacro %}


{#
    Rows (by…, replicate, metric, value, row_count) of columns that hold metrics, one row for each.

    measured: a CTE with stratum, replicate and a column for each metric. others: a query with rows (stratum, replicate,
    metric, value) to add.
#}
{% macro long_form(measured, metrics, by, others=none) %}
select
    {%- for name in by %}
    strata.{{ name }},
    {%- endfor %}
    long.replicate,
    long.metric,
    long.value,
    strata.row_count
from (
    select
        stratum,
        replicate,
        unnest([{% for name in metrics %}'{{ name }}'{{ ', ' if not loop.last }}{% endfor %}]) as metric,
        unnest([{% for name in metrics %}cast({{ name }} as double){{ ', ' if not loop.last }}{% endfor %}]) as value
    from {{ measured }}
    {%- if others %}
    union all
    {{ others }}
    {%- endif %}
) as long
inner join strata using (stratum)
{% endmacro %}


{#
    Rows (by…, metric, value, low, high, row_count): each metric with its percentile interval at 95 %, where there are two rows.

    replicates: a query that gives what long_form() gives. A calibration error is a sum of distances, which noise makes larger,
    and most where there is none: it takes no percentiles, but gets `calibration_noise`, the distance of a replicate's gaps from
    those of the sample, on either side. By the triangle inequality such an interval is wide enough.
#}
{% macro metric_intervals(replicates, by) %}
select * exclude (ends, noise, row_count) replace (
        if(metric = 'calibration_error' and noise is not null, greatest(value - noise, 0), low) as low,
        if(metric = 'calibration_error', value + noise, high) as high
    ),
    row_count
from (
    select
        *,
        ends[1] as low,
        ends[3] as high,
        max(ends[2]) filter (metric = 'calibration_noise') over (partition by {{ (by + ['true']) | join(', ') }}) as noise
    from (
        select
            {%- for name in by %}
            {{ name }},
            {%- endfor %}
            metric,
            max(value) filter (replicate = 0) as value,
            if(
                max(row_count) > 1,
                quantile_cont(value, [0.025, 0.95, 0.975]) filter (replicate > 0 and value is not null),
                null
            ) as ends,
            max(row_count) as row_count
        from ({{ replicates }})
        group by all
    )
)
where metric <> 'calibration_noise'
{% endmacro %}
