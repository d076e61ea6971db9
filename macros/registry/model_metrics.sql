{#
    registry.model_metrics: the quality of each version on each split, in whole and by slice.

    scores: what ref() returns for the project's scores, all of them.
    Metrics of a binary task, as scikit-learn defines them: auc (the Mann-Whitney statistic over mid-ranks, so ties count
    half; null where one class is absent), log_loss (scores clipped to the machine epsilon of a double, natural logarithm),
    brier, precision, recall and f1 at the model's threshold (0 where the denominator is), positive_rate.
    What has been computed for a (model, version, dataset_version) is not computed again.
#}
{% macro model_metrics(scores) -%}
    {{ return(adapter.dispatch('model_metrics', 'eiderdown')(scores)) }}
{%- endmacro %}

{% macro default__model_metrics(scores) -%}
{%- set group = 'model, version, dataset_version, split, slice' -%}
{%- if execute -%}{%- do eiderdown.refuse_left_out('scores', scores) -%}{%- endif -%}
with scored as (
    {%- for relation in scores %}
    select * from {{ relation }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

unmeasured as (
    select * from scored
    {%- if execute and load_relation(this) is not none %}
    anti join {{ this }} using (model, version, dataset_version)
    {%- endif %}
),

sliced as (
    select
        * exclude (slices),
        unnest(list_prepend('all', [
            coalesce(entry.key || '=' || entry.value, entry.key || ' is null') for entry in map_entries(slices)
        ])) as slice
    from unmeasured
),

ranked as (
    select
        *,
        -- The mid-rank of equal scores: the mean of the ranks that they would take.
        rank() over (partition by {{ group }} order by score)
        + (count(*) over (partition by {{ group }}, score) - 1) / 2.0 as mid_rank,
        greatest(least(score, 1 - 2.220446049250313e-16), 2.220446049250313e-16) as clipped,
        -ln(if(target = 1, clipped, 1 - clipped)) as loss,
        pow(score - target, 2) as squared_error,
        score >= threshold as is_predicted,
        target = 1 as is_positive
    from sliced
),

counted as (
    select
        {{ group }},
        count(*) as row_count,
        count(*) filter (is_positive) as positives,
        count(*) filter (not is_positive) as negatives,
        count(*) filter (is_predicted) as predicted,
        count(*) filter (is_predicted and is_positive) as hits,
        sum(mid_rank) filter (is_positive) as positive_ranks,
        -- In one order, so that the same scores have the same metrics to the last bit, whichever thread met them first.
        favg(loss order by loss) as log_loss,
        favg(squared_error order by squared_error) as brier
    from ranked
    group by {{ group }}
),

measured as (
    select
        {{ group }},
        row_count,
        map {
            'auc': (positive_ranks - positives * (positives + 1) / 2.0) / nullif(positives * negatives, 0),
            'log_loss': log_loss,
            'brier': brier,
            'precision': coalesce(hits / nullif(predicted, 0), 0),
            'recall': coalesce(hits / nullif(positives, 0), 0),
            'f1': coalesce(2 * hits / nullif(predicted + positives, 0), 0),
            'positive_rate': positives / row_count
        } as metrics
    from counted
)

select
    model,
    version,
    dataset_version,
    split,
    slice,
    unnest(map_keys(metrics)) as metric,
    cast(unnest(map_values(metrics)) as double) as value,
    row_count
from measured
{%- endmacro %}
