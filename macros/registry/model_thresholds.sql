{#
    registry.model_thresholds: what each threshold gives (threshold_table()), for each version, split and slice of models with
    the task binary: at 101 quantiles of the scores, of a slice at 21.

    scores: what ref() returns for the project's scores, all of them. What has been computed for a (model, version,
    dataset_version) is not computed again.
#}
{% macro model_thresholds(scores) -%}
    {{ return(adapter.dispatch('model_thresholds', 'eiderdown')(scores)) }}
{%- endmacro %}

{% macro default__model_thresholds(scores) -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- do eiderdown.refuse_left_out('scores', scores) -%}
{%- set relations = eiderdown.scores_by_task(scores).get('binary') -%}
{%- if relations -%}
{{ eiderdown.threshold_table(
    '(' ~ eiderdown.unmeasured_scores(relations) ~ ')', 'target', 'score', "if(slice = 'all', 101, 21)",
    eiderdown.measured_groups()
) }}
{%- else -%}
{{ eiderdown.no_rows('model_thresholds') }}
{%- endif -%}
{%- endmacro %}
