{#
    Is one model better than another on the same rows? Rows (by…, metric, value, champion_value, difference, low, high,
    row_count), the difference with its 95 % interval.

    relation: a table, or a query in brackets, with the scores of both in one row. task: 'binary', 'multiclass' or 'regression';
    target, score, threshold, quantile, by, row_id: as of binary_metrics(), multiclass_metrics() and regression_metrics().
    champion_score, champion_threshold: of the other. Rows where one score is null are left out for both.

    difference: how much better `score` is than `champion_score`: value - champion_value where more is better (auc, r2, f1, …),
    champion_value - value of losses and errors, and of bias by its size. What does not depend on a model (positive_rate,
    mean_target) is left out. Both are resampled together, so the interval is that of the difference (resampling.sql).
#}
{% macro metric_differences(
    relation, target, score, champion_score, row_id, task='binary', threshold=0.5, champion_threshold=0.5, quantile=0.5, by=[],
    replicates=1000
) -%}
    {{ return(adapter.dispatch('metric_differences', 'eiderdown')(
        relation, target, score, champion_score, row_id, task, threshold, champion_threshold, quantile, by, replicates
    )) }}
{%- endmacro %}

{% macro default__metric_differences(
    relation, target, score, champion_score, row_id, task, threshold, champion_threshold, quantile, by, replicates
) -%}
{%- set sides -%}
(
    select
        {%- for name in by %}
        {{ name }},
        {%- endfor %}
        {{ row_id }} as paired_row,
        {{ target }} as paired_target,
        unnest([false, true]) as is_champion,
        unnest([{{ score }}, {{ champion_score }}]) as paired_score,
        unnest([{{ threshold }}, {{ champion_threshold }}]) as paired_threshold
    from {{ relation }}
    where ({{ score }}) is not null and ({{ champion_score }}) is not null
)
{%- endset -%}
select
    * exclude (ends, row_count),
    ends[1] as low,
    ends[2] as high,
    row_count
from (
    select
        {%- for name in by %}
        {{ name }},
        {%- endfor %}
        metric,
        max(value) filter (replicate = 0) as value,
        max(champion_value) filter (replicate = 0) as champion_value,
        max(difference) filter (replicate = 0) as difference,
        if(
            max(row_count) > 1,
            quantile_cont(difference, [0.025, 0.975]) filter (replicate > 0 and difference is not null),
            null
        ) as ends,
        max(row_count) as row_count
    from (
        select
            *,
            case
                when metric in ({{ eiderdown.lower_is_better() }}) then champion_value - value
                when metric = 'bias' then abs(champion_value) - abs(value)
                else value - champion_value
            end as difference
        from (
            select
                {%- for name in by %}
                {{ name }},
                {%- endfor %}
                replicate,
                metric,
                max(value) filter (not is_champion) as value,
                max(value) filter (is_champion) as champion_value,
                max(row_count) as row_count
            from (
                {{ eiderdown.metric_replicates(
                    task, sides, 'paired_target', 'paired_score', 'paired_threshold', quantile, by + ['is_champion'],
                    'paired_row', replicates
                ) }}
            )
            where metric not in ('calibration_noise', 'positive_rate', 'mean_target')
            group by all
        )
    )
    group by all
)
{%- endmacro %}


{# The metrics of which less is better, as SQL. #}
{% macro lower_is_better() -%}
    'log_loss', 'brier', 'calibration_error', 'rmse', 'mae', 'pinball', 'mape'
{%- endmacro %}


{# The replicates of a task's metrics: rows (by…, replicate, metric, value, row_count). #}
{% macro metric_replicates(task, relation, target, score, threshold, quantile, by, row_id, replicates=1000) -%}
    {%- if task == 'binary' -%}
    {{ eiderdown.binary_replicates(relation, target, score, threshold, by, row_id, 10, replicates) }}
    {%- elif task == 'multiclass' -%}
    {{ eiderdown.multiclass_replicates(relation, target, score, by, row_id, replicates) }}
    {%- elif task == 'regression' -%}
    {{ eiderdown.regression_replicates(relation, target, score, quantile, by, row_id, replicates) }}
    {%- else -%}
    {{ exceptions.raise_compiler_error(
        "metrics: the task '" ~ task ~ "' is unknown; write 'binary', 'multiclass' or 'regression'"
    ) }}
    {%- endif -%}
{%- endmacro %}
