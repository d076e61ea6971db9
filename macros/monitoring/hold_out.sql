{#
    CTEs of what the versions of a model were measured on before they served, for those in the CTE `changed`: `hold_out`, the scored
    rows (model, version, row_id, score, target), and `reference`, the metrics of these rows (model, version, slice, metric, value,
    low, high).

    They are the rows of the test split whose target is known, of the first dataset version that a version was scored on, its
    own; where there is none, those of the validation split. references: registry.model_metrics.
#}
{% macro hold_outs(model_name, references) %}
hold_out as materialized (
    select model, version, dataset_version, split, row_id, score, target
    from ({{ eiderdown.all_scores(eiderdown.scores_of(model_name)) }})
    semi join changed using (version)
    where split <> 'train' and target is not null
    qualify dataset_version = min(dataset_version) over (partition by version) and split = min(split) over (partition by version)
),

reference as (
    select model, version, slice, metric, value, low, high
    from {{ references }}
    semi join hold_out using (model, version, dataset_version, split)
)
{%- endmacro %}


{# The relation of a model's scores, as a list of one. #}
{% macro scores_of(model_name) %}
    {%- for relation in eiderdown.project_scores() if eiderdown.node_of(relation).config.meta.scores.model == model_name -%}
        {{ return([relation]) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        model.name ~ ": the model '" ~ model_name ~ "' has no scores to compare with; add " ~ model_name ~ "_scores, with "
        ~ "config.meta.scores"
    ) }}
{% endmacro %}


{#
    The rows of `changed` with what their scores mean by `hold_out`, as estimated_metrics() takes them. Of classes the score is that of
    the likeliest, and it means whether that one comes.
#}
{% macro calibrated_served(task) -%}
    {%- if task == 'binary' -%}
    {{ eiderdown.calibrated_scores('changed', 'score', 'hold_out', ['model', 'version']) }}
    {%- else -%}
    {%- set likeliest = eiderdown.likeliest('score') -%}
    {{ eiderdown.calibrated_scores(
        '(select * replace (list_max(map_values(score)) as score, 0.0 as threshold) from changed)', 'score',
        '(select * replace (list_max(map_values(score)) as score, cast(target = ' ~ likeliest ~ ' as double) as target) from hold_out)',
        ['model', 'version']
    ) }}
    {%- endif -%}
{%- endmacro %}
