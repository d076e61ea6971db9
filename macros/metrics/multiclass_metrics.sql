{#
    Metrics of the probabilities of classes, with 95 % intervals: rows (by…, metric, value, low, high, row_count).

    relation: a table, or a query in brackets. target: an expression of the class that came (varchar); score: of class ->
    probability, map(varchar, double), with all classes. The predicted class is the likeliest, of equals the first by name. by:
    names of columns; each group is measured on its own. row_id: an expression that identifies a row, for the intervals;
    without it, low and high are null. Rows where target or score is null are left out.

    As scikit-learn 1.9 defines them, to 1e-9:
    accuracy      accuracy_score
    log_loss      log_loss: natural logarithm, probabilities clipped to a double's epsilon
    auc_macro     roc_auc_score(multi_class='ovr', average='macro'); null where a class is absent
    precision_macro, recall_macro, f1_macro   precision_score(average='macro'), …: the mean over the classes that came or
                  were predicted; 0 for a class where the denominator is
    precision_micro, recall_micro, f1_micro   the same with average='micro'
    auc[c], precision[c], recall[c], f1[c]    of class c against the rest

    Intervals are percentiles of a bootstrap (resampling.sql).
#}
{% macro multiclass_metrics(relation, target, score, by=[], row_id=none, replicates=1000) -%}
    {{ return(adapter.dispatch('multiclass_metrics', 'eiderdown')(relation, target, score, by, row_id, replicates)) }}
{%- endmacro %}

{% macro default__multiclass_metrics(relation, target, score, by, row_id, replicates) -%}
{{ eiderdown.metric_intervals(eiderdown.multiclass_replicates(relation, target, score, by, row_id, replicates), by) }}
{%- endmacro %}


{# The likeliest class of a map of probabilities, of equals the first by name. #}
{% macro likeliest(score) -%}
    list_sort(list_transform(map_entries({{ score }}), lambda entry: {'rest': -entry.value, 'class': entry.key}))[1].class
{%- endmacro %}


{# Rows (by…, replicate, metric, value, row_count); replicate 0 is the metric itself. #}
{% macro multiclass_replicates(relation, target, score, by, row_id, replicates) -%}
{%- set columns = {
    'target': 'cast(' ~ target ~ ' as varchar)',
    'scores': score,
    'predicted': eiderdown.likeliest(score),
} -%}
{%- set class_sums = ['row_count', 'positives', 'predicted', 'hits', 'positive_places', 'negative_places'] -%}
{%- set macro_metrics = ['precision', 'recall', 'f1'] -%}
{%- set metrics = [
    'accuracy', 'log_loss', 'auc_macro', 'precision_macro', 'recall_macro', 'f1_macro', 'precision_micro',
    'recall_micro', 'f1_micro',
] -%}
with {{ eiderdown.strata(relation, columns, by, row_id) }},

{{ eiderdown.resampling(row_id, replicates) }},

statistics as (
    select
        stratum,
        bucket,
        count(*) as row_count,
        count(*) filter (predicted = target) as correct,
        {{ eiderdown.exact_sum(eiderdown.clipped_loss('coalesce(scores[target], 0)')) }} as loss
    from stratified
    group by stratum, bucket
),

one_against_rest as (
    select
        stratum,
        row_count,
        bucket,
        class,
        coalesce(scores[class], 0) as score,
        target = class as is_positive,
        predicted = class as is_predicted
    from (select *, unnest(list_distinct(list_append(map_keys(scores), target))) as class from stratified)
),

ranked as (
    {{ eiderdown.ranked('one_against_rest', 'stratum, class') }}
),

class_statistics as (
    select
        stratum,
        class,
        bucket,
        count(*) as row_count,
        count(*) filter (is_positive) as positives,
        count(*) filter (is_predicted) as predicted,
        count(*) filter (is_predicted and is_positive) as hits,
        sum(2 * (row_count - positives) - (at_least - positives_at_least) - (more - positives_more))
            filter (is_positive) as positive_places,
        sum(positives_at_least + positives_more) filter (not is_positive) as negative_places
    from ranked
    group by stratum, class, bucket
),

whole as (
    select
        stratum,
        class,
        sum(positives) as positives,
        sum(row_count) - sum(positives) as negatives,
        sum(positives) + sum(predicted) > 0 as is_seen,
        sum(positive_places) / (2.0 * nullif(sum(positives) * (sum(row_count) - sum(positives)), 0)) as auc
    from class_statistics
    group by stratum, class
),

by_class as materialized (
    select
        stratum,
        class,
        replicate,
        is_seen,
        {{ eiderdown.auc_of_places('sums', 'whole') }} as auc,
        coalesce(sums.hits / nullif(sums.predicted, 0), 0) as precision,
        coalesce(sums.hits / nullif(sums.positives, 0), 0) as recall,
        coalesce(2 * sums.hits / nullif(sums.predicted + sums.positives, 0), 0) as f1
    from ({{ eiderdown.weighted_sums('class_statistics', class_sums, ['stratum', 'class'], row_id) }}) as sums
    inner join whole using (stratum, class)
),

means as (
    select
        stratum,
        replicate,
        if(count(*) = count(auc) and count(*) > 1, favg(auc order by class), null) as auc_macro
        {%- for name in macro_metrics %},
        favg({{ name }} order by class) filter (is_seen) as {{ name }}_macro
        {%- endfor %}
    from by_class
    group by stratum, replicate
),

measured as (
    select
        means.*,
        sums.correct / nullif(sums.row_count, 0) as accuracy,
        sums.loss / nullif(sums.row_count, 0) as log_loss
        {#- Each row has one class and one predicted class, so all three are the share of rows that are right. #}
        {%- for name in macro_metrics %},
        sums.correct / nullif(sums.row_count, 0) as {{ name }}_micro
        {%- endfor %}
    from means
    inner join ({{ eiderdown.weighted_sums('statistics', ['row_count', 'correct', 'loss'], ['stratum'], row_id) }}) as sums
        using (stratum, replicate)
)

{%- set of_classes %}
    select
        stratum,
        replicate,
        unnest([{% for name in ['auc'] + macro_metrics %}'{{ name }}[' || class || ']'{{ ', ' if not loop.last }}{% endfor %}]),
        unnest([auc, {{ macro_metrics | join(', ') }}])
    from by_class
{%- endset %}

{{ eiderdown.long_form('measured', metrics, by, of_classes) }}
{%- endmacro %}
