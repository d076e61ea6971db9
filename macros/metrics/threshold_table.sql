{#
    What each threshold gives: rows (by…, threshold, row_count, true_positives, false_positives, true_negatives,
    false_negatives, precision, recall, false_positive_rate, f1, accuracy, predicted_share, lift), at no more than `points`
    quantiles of the scores.

    A score that reaches the threshold is predicted positive. recall by false_positive_rate is the ROC curve, and precision by
    recall the precision-recall curve (sklearn.metrics.roc_curve, precision_recall_curve) at these thresholds. lift is precision
    by the share of positives. precision, recall and f1 are 0 where the denominator is; false_positive_rate and lift null.

    relation: a table, or a query in brackets. target: an expression, 1 (or true) where positive; score: any number. by: names
    of columns. points: a number, or an expression of the columns of `by`. Rows where target or score is null are left out.
#}
{% macro threshold_table(relation, target, score, points=101, by=[]) -%}
    {{ return(adapter.dispatch('threshold_table', 'eiderdown')(relation, target, score, points, by)) }}
{%- endmacro %}

{% macro default__threshold_table(relation, target, score, points, by) -%}
{%- set columns = {
    'score': 'cast(' ~ score ~ ' as double)',
    'is_positive': 'cast(' ~ target ~ ' as integer) = 1',
    'points': points,
} -%}
with {{ eiderdown.strata(relation, columns, by, none) }},

ranked as (
    {{ eiderdown.ranked('stratified', 'stratum') }}
),

-- The lowest score of each quantile: all of its rows reach it.
chosen as (
    select
        stratum,
        row_count,
        positives,
        min(score) as threshold,
        max(at_least) as predicted,
        max(positives_at_least) as hits
    from ranked
    group by stratum, row_count, positives, (at_least * points - 1) // row_count
)

select
    {%- for name in by %}
    strata.{{ name }},
    {%- endfor %}
    threshold,
    chosen.row_count,
    cast(hits as bigint) as true_positives,
    cast(predicted - hits as bigint) as false_positives,
    cast(chosen.row_count - predicted - positives + hits as bigint) as true_negatives,
    cast(positives - hits as bigint) as false_negatives,
    hits / predicted as precision,
    coalesce(hits / nullif(positives, 0), 0) as recall,
    (predicted - hits) / nullif(chosen.row_count - positives, 0) as false_positive_rate,
    2 * hits / (predicted + positives) as f1,
    (chosen.row_count - predicted - positives + 2 * hits) / chosen.row_count as accuracy,
    predicted / chosen.row_count as predicted_share,
    hits / predicted / nullif(positives / chosen.row_count, 0) as lift
from chosen
inner join strata using (stratum)
{%- endmacro %}
