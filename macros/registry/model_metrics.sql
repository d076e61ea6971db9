{#
    registry.model_metrics: the quality of each version on each split, in whole and by slice, with 95 % intervals.

    scores: what ref() returns for the project's scores, all of them. A model's task decides the metrics: binary_metrics(),
    multiclass_metrics() and regression_metrics() say which and how. `baseline` is the same metric of the baseline's scores.
    What has been computed for a (model, version, dataset_version) is not computed again.
#}
{% macro model_metrics(scores) -%}
    {{ return(adapter.dispatch('model_metrics', 'eiderdown')(scores)) }}
{%- endmacro %}

{% macro default__model_metrics(scores) -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- do eiderdown.refuse_left_out('scores', scores) -%}
{%- set groups = eiderdown.measured_groups() -%}
{%- for task, relations in eiderdown.scores_by_task(scores).items() %}
{{ 'union all' if not loop.first }}
select {{ groups | join(', ') }}, metric, value, low, high, baseline, row_count
from (
    with {{ task }}_scores as materialized ({{ eiderdown.unmeasured_scores(relations) }})

    select measured.*, baselines.value as baseline
    from (
        {{ eiderdown.metric_intervals(
            eiderdown.metric_replicates(task, task ~ '_scores', 'target', 'score', 'threshold', 0.5, groups, 'row_id'), groups
        ) }}
    ) as measured
    left join (
        {{ eiderdown.metric_replicates(task, task ~ '_scores', 'target', 'baseline', 'threshold', 0.5, groups, none) }}
    ) as baselines using ({{ groups | join(', ') }}, metric)
)
{%- endfor -%}
{%- endmacro %}
