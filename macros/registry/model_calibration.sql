{#
    registry.model_calibration: mean score and mean target in ten quantile bins of the scores (calibration_table()), for each
    version, split and slice.

    Of classes it is the probability of the likeliest, and whether it came. What has been computed for a (model, version,
    dataset_version) is not computed again.
#}
{% macro model_calibration() -%}
    {{ return(adapter.dispatch('model_calibration', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__model_calibration() -%}
{#- After the scores, which registry.model_metrics lists. #}
{%- do ref('model_metrics') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- for task, relations in eiderdown.scores_by_task(eiderdown.project_scores()).items() -%}
{%- set is_multiclass = task == 'multiclass' -%}
{{ 'union all' if not loop.first }}
select *
from (
    {{ eiderdown.calibration_table(
        '(' ~ eiderdown.unmeasured_scores(relations) ~ ')',
        'target = ' ~ eiderdown.likeliest('score') if is_multiclass else 'target',
        'score[' ~ eiderdown.likeliest('score') ~ ']' if is_multiclass else 'score',
        by=eiderdown.measured_groups()
    ) }}
)
{% endfor -%}
{%- endmacro %}
