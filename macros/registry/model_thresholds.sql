{#
    registry.model_thresholds: what each threshold gives (threshold_table()), for each version, split and slice of models with
    the task binary: at 101 quantiles of the scores, of a slice at 21.

    What has been computed for a (model, version, dataset_version) is not computed again.
#}
{% macro model_thresholds() -%}
    {{ return(adapter.dispatch('model_thresholds', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__model_thresholds() -%}
{#- After the scores, which registry.model_metrics lists. #}
{%- do ref('model_metrics') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set relations = eiderdown.scores_by_task(eiderdown.project_scores()).get('binary') -%}
{%- if relations -%}
{{ eiderdown.threshold_table(
    '(' ~ eiderdown.unmeasured_scores(relations) ~ ')', 'target', 'score', "if(slice = 'all', 101, 21)",
    eiderdown.measured_groups()
) }}
{%- else -%}
{{ eiderdown.no_rows('model_thresholds') }}
{%- endif -%}
{%- endmacro %}
