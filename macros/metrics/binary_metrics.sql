{#
    Metrics of probabilities against outcomes, with 95 % intervals: rows (by…, metric, value, low, high, row_count).

    relation: a table, or a query in brackets. target: an expression, 1 (or true) where the outcome is positive, else 0;
    score: the probability of a positive; threshold: a number or an expression, a score that reaches it is predicted
    positive. by: names of columns; each group is measured on its own. row_id: an expression that identifies a row, for the
    intervals; without it, low and high are null. Rows where target, score or threshold is null are left out.

    As scikit-learn 1.9 defines them, to 1e-9:
    auc                 roc_auc_score: ties count half; null where one class is absent
    average_precision   average_precision_score; null where there is no positive
    log_loss            log_loss: natural logarithm, scores clipped to a double's epsilon
    brier               brier_score_loss
    precision, recall, f1   precision_score, …: 0 where the denominator is, here and below
    specificity         recall_score(pos_label=0)
    accuracy            accuracy_score
    calibration_error   the mean distance of mean score and share of positives over the bins of calibration_curve(n_bins=bins,
                        strategy='quantile'), weighted by their rows (Naeini et al. 2015)
    positive_rate       the share of positives

    Intervals are those of a bootstrap (resampling.sql). For auc and average_precision a replicate is the first-order
    expansion in the weights: placement values (DeLong et al. 1988), and the derivative of Σ y·A/B by a row's weight, where A
    positives and B rows have a score as high; on the scale of the logit, which keeps small groups within 0 and 1 (Boyd et
    al. 2013, "Area under the precision-recall curve").
#}
{% macro binary_metrics(relation, target, score, threshold=0.5, by=[], row_id=none, bins=10, replicates=1000) -%}
    {{ return(adapter.dispatch('binary_metrics', 'eiderdown')(
        relation, target, score, threshold, by, row_id, bins, replicates
    )) }}
{%- endmacro %}

{% macro default__binary_metrics(relation, target, score, threshold, by, row_id, bins, replicates) -%}
{{ eiderdown.metric_intervals(
    eiderdown.binary_replicates(relation, target, score, threshold, by, row_id, bins, replicates), by
) }}
{%- endmacro %}


{# Rows (by…, replicate, metric, value, row_count); replicate 0 is the metric itself. #}
{% macro binary_replicates(relation, target, score, threshold, by, row_id, bins, replicates) -%}
{%- set columns = {
    'score': 'cast(' ~ score ~ ' as double)',
    'is_positive': 'cast(' ~ target ~ ' as integer) = 1',
    'is_predicted': 'cast(' ~ score ~ ' as double) >= ' ~ threshold,
} -%}
{%- set sums = [
    'row_count', 'positives', 'predicted', 'hits', 'correct', 'loss', 'squared_error', 'positive_places',
    'negative_places', 'precision_change',
] -%}
{%- set metrics = [
    'auc', 'average_precision', 'log_loss', 'brier', 'precision', 'recall', 'f1', 'specificity', 'accuracy',
    'calibration_error', 'calibration_noise', 'positive_rate',
] -%}
with {{ eiderdown.strata(relation, columns, by, row_id) }},

{{ eiderdown.resampling(row_id, replicates) }},

ranked as (
    {{ eiderdown.ranked('stratified', 'stratum') }}
),

placed as materialized (
    select
        *,
        row_count - positives as negatives,
        {{ eiderdown.score_bin(bins, 'quantile') }} as bin,
        -- How the sum of precisions at the positives changes with the row's weight.
        if(is_positive, {{ eiderdown.fixed('positives_at_least / at_least') }}, 0)
        + if(is_positive, sum(if(is_positive, {{ eiderdown.fixed('1 / at_least') }}, 0)) over not_above, 0)
        - sum(if(is_positive, {{ eiderdown.fixed('positives_at_least / at_least / at_least') }}, 0)) over not_above
            as precision_change
    from ranked
    window not_above as (
        partition by stratum order by score desc range between current row and unbounded following
    )
),

statistics as (
    select
        stratum,
        bucket,
        count(*) as row_count,
        count(*) filter (is_positive) as positives,
        count(*) filter (is_predicted) as predicted,
        count(*) filter (is_predicted and is_positive) as hits,
        count(*) filter (is_predicted = is_positive) as correct,
        {{ eiderdown.exact_sum(eiderdown.clipped_loss('if(is_positive, score, 1 - score)')) }} as loss,
        {{ eiderdown.exact_sum('pow(score - cast(is_positive as integer), 2)') }} as squared_error,
        -- Twice the negatives below a positive and the positives above a negative; an equal score is half of either.
        sum(2 * negatives - (at_least - positives_at_least) - (more - positives_more)) filter (is_positive)
            as positive_places,
        sum(positives_at_least + positives_more) filter (not is_positive) as negative_places,
        {{ eiderdown.unfixed('sum(precision_change)') }} as precision_change
    from placed
    group by stratum, bucket
),

gaps as (
    select stratum, bin, bucket, {{ eiderdown.exact_sum('score - cast(is_positive as integer)') }} as gap
    from placed
    group by stratum, bin, bucket
),

whole as (
    select
        stratum,
        sum(positives) as positives,
        sum(row_count) - sum(positives) as negatives,
        sum(precision_change order by bucket) / nullif(sum(positives), 0) as average_precision,
        sum(positive_places) / (2.0 * nullif(sum(positives) * (sum(row_count) - sum(positives)), 0)) as auc
    from statistics
    group by stratum
),

totals as materialized (
    {{ eiderdown.weighted_sums('statistics', sums, ['stratum'], row_id) }}
),

mean_gaps as materialized (
    select gap_sums.* replace (gap / nullif(row_count, 0) as gap)
    from ({{ eiderdown.weighted_sums('gaps', ['gap'], ['stratum', 'bin'], row_id) }}) as gap_sums
    inner join totals using (stratum, replicate)
),

calibration as (
    select
        resampled.stratum,
        resampled.replicate,
        fsum(abs(resampled.gap) order by resampled.bin) as calibration_error,
        fsum(abs(resampled.gap - sample.gap) order by resampled.bin) as calibration_noise
    from mean_gaps as resampled
    inner join mean_gaps as sample
        on resampled.stratum = sample.stratum and resampled.bin = sample.bin and sample.replicate = 0
    group by resampled.stratum, resampled.replicate
),

measured as (
    select
        stratum,
        replicate,
        {{ eiderdown.auc_of_places('sums', 'whole') }} as auc,
        {{ eiderdown.on_logit_scale(
            'sums.precision_change / nullif(sums.positives, 0)', 'whole.average_precision'
        ) }} as average_precision,
        sums.loss / nullif(sums.row_count, 0) as log_loss,
        sums.squared_error / nullif(sums.row_count, 0) as brier,
        coalesce(sums.hits / nullif(sums.predicted, 0), 0) as precision,
        coalesce(sums.hits / nullif(sums.positives, 0), 0) as recall,
        coalesce(2 * sums.hits / nullif(sums.predicted + sums.positives, 0), 0) as f1,
        coalesce((sums.correct - sums.hits) / nullif(sums.row_count - sums.positives, 0), 0) as specificity,
        sums.correct / nullif(sums.row_count, 0) as accuracy,
        calibration_error,
        calibration_noise,
        sums.positives / nullif(sums.row_count, 0) as positive_rate
    from totals as sums
    inner join whole using (stratum)
    inner join calibration using (stratum, replicate)
)

{{ eiderdown.long_form('measured', metrics, by) }}
{%- endmacro %}


{# The loss of a row of which the outcome had this probability, clipped to a double's epsilon on both sides. #}
{% macro clipped_loss(probability) -%}
    -ln(greatest(least({{ probability }}, 1 - 2.220446049250313e-16), 2.220446049250313e-16))
{%- endmacro %}


{# AUC of weighted sums, to first order: the mean place of positives and that of negatives, each moving on its own. #}
{% macro auc_of_places(sums, whole) -%}
    {%- set linear -%}
    {{ sums }}.positive_places / (2 * nullif({{ whole }}.negatives, 0)) / nullif({{ sums }}.positives, 0)
    + {{ sums }}.negative_places / (2 * nullif({{ whole }}.positives, 0)) / nullif({{ sums }}.row_count - {{ sums }}.positives, 0)
    - {{ whole }}.auc
    {%- endset -%}
    {{ eiderdown.on_logit_scale(linear, whole ~ '.auc') }}
{%- endmacro %}


{# A value in 0 … 1 as far from `center` as a linear expansion around it says, measured on the scale of its logit. #}
{% macro on_logit_scale(linear, center) -%}
    if(
        {{ center }} > 0 and {{ center }} < 1,
        1 / (1 + (1 / {{ center }} - 1) * exp(-(({{ linear }}) - {{ center }}) / {{ center }} / (1 - {{ center }}))),
        {{ linear }}
    )
{%- endmacro %}
