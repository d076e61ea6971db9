{#
    Metrics of predicted numbers, with 95 % intervals: rows (by…, metric, value, low, high, row_count).

    relation: a table, or a query in brackets. target, score: expressions of what came and what was predicted, finite numbers.
    quantile: that which pinball measures. by: names of columns; each group is measured on its own. row_id: an expression that
    identifies a row, for the intervals; without it, low and high are null. Rows where target or score is null are left out.

    As scikit-learn 1.9 defines them, to 1e-9:
    rmse, mae     root_mean_squared_error, mean_absolute_error
    r2            r2_score: of targets that are all equal 1 where each is met, else 0; null for a single row
    pinball       mean_pinball_loss(alpha=quantile)
    mape          mean_absolute_percentage_error, a share, targets of zero as a double's epsilon
    bias          the mean of score - target
    mean_target   the mean of target

    Intervals are percentiles of a bootstrap (resampling.sql).
#}
{% macro regression_metrics(relation, target, score, quantile=0.5, by=[], row_id=none, replicates=1000) -%}
    {{ return(adapter.dispatch('regression_metrics', 'eiderdown')(relation, target, score, quantile, by, row_id, replicates)) }}
{%- endmacro %}

{% macro default__regression_metrics(relation, target, score, quantile, by, row_id, replicates) -%}
{{ eiderdown.metric_intervals(
    eiderdown.regression_replicates(relation, target, score, quantile, by, row_id, replicates), by
) }}
{%- endmacro %}


{# Rows (by…, replicate, metric, value, row_count); replicate 0 is the metric itself. #}
{% macro regression_replicates(relation, target, score, quantile, by, row_id, replicates) -%}
{%- set columns = {'target': 'cast(' ~ target ~ ' as double)', 'score': 'cast(' ~ score ~ ' as double)'} -%}
{%- set sums = [
    'row_count', 'error', 'absolute_error', 'squared_error', 'pinball', 'percentage', 'deviation', 'squared_deviation',
] -%}
{%- set metrics = ['rmse', 'mae', 'r2', 'pinball', 'mape', 'bias', 'mean_target'] -%}
with {{ eiderdown.strata(relation, columns, by, row_id) }},

{{ eiderdown.resampling(row_id, replicates) }},

-- Targets are counted from the group's least, so that r2 does not suffer where they lie far from zero; and all that is
-- summed is brought to at most 1.
scales as (
    select
        stratum,
        min(target) as least_target,
        {{ eiderdown.power_of_two('max(abs(score - target))') }} as error_scale,
        {{ eiderdown.power_of_two('max(target) - min(target)') }} as target_scale,
        {{ eiderdown.power_of_two(
            'max(abs(score - target) / greatest(abs(target), 2.220446049250313e-16))'
        ) }} as percentage_scale
    from stratified
    group by stratum
),

scaled as (
    select
        stratum,
        bucket,
        (score - target) / error_scale as error,
        (target - least_target) / target_scale as deviation,
        abs(score - target) / greatest(abs(target), 2.220446049250313e-16) / percentage_scale as percentage
    from stratified
    inner join scales using (stratum)
),

statistics as (
    select
        stratum,
        bucket,
        count(*) as row_count,
        {{ eiderdown.exact_sum('error') }} as error,
        {{ eiderdown.exact_sum('abs(error)') }} as absolute_error,
        {{ eiderdown.exact_sum('error * error') }} as squared_error,
        {{ eiderdown.exact_sum('if(error > 0, (1 - ' ~ quantile ~ ') * error, -' ~ quantile ~ ' * error)') }} as pinball,
        {{ eiderdown.exact_sum('percentage') }} as percentage,
        {{ eiderdown.exact_sum('deviation') }} as deviation,
        {{ eiderdown.exact_sum('deviation * deviation') }} as squared_deviation
    from scaled
    group by stratum, bucket
),

totals as (
    select
        * exclude (row_count),
        nullif(row_count, 0) as row_count,
        squared_deviation - deviation * deviation / nullif(row_count, 0) as variation
    from ({{ eiderdown.weighted_sums('statistics', sums, ['stratum'], row_id) }})
    inner join scales using (stratum)
),

measured as (
    select
        stratum,
        replicate,
        error_scale * sqrt(squared_error / row_count) as rmse,
        error_scale * absolute_error / row_count as mae,
        case
            when row_count < 2 then null
            when variation > 0 then 1 - pow(error_scale / target_scale, 2) * squared_error / variation
            when row_count is not null then cast(squared_error = 0 as integer)
        end as r2,
        error_scale * pinball / row_count as pinball,
        percentage_scale * percentage / row_count as mape,
        error_scale * error / row_count as bias,
        least_target + target_scale * deviation / row_count as mean_target
    from totals
)

{{ eiderdown.long_form('measured', metrics, by) }}
{%- endmacro %}
