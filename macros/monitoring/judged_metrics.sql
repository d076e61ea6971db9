{#
    Which metrics of a model in production are judged, {metric: {max_loss or max_relative_loss, min_count}}: config.meta.monitor.metrics
    of the relation with what was served, completed and checked; by default one of the task.

    node: of that relation. task: of the model. A name or field that is not known is a compiler error that says where.
#}
{% macro judged_metrics(node, task) %}
    {%- set known = {
        'binary': [
            'auc', 'average_precision', 'log_loss', 'brier', 'precision', 'recall', 'f1', 'specificity', 'accuracy',
            'calibration_error',
        ],
        'multiclass': ['accuracy', 'log_loss', 'auc_macro', 'precision_macro', 'recall_macro', 'f1_macro'],
        'regression': ['rmse', 'mae', 'r2', 'pinball', 'mape'],
    }[task] -%}
    {%- set default = {
        'binary': {'auc': {'max_loss': 0.02}},
        'multiclass': {'accuracy': {'max_loss': 0.02}},
        'regression': {'rmse': {'max_relative_loss': 0.1}},
    }[task] -%}
    {%- set where = node.schema ~ '.' ~ node.alias ~ ": config.meta.monitor.metrics" -%}
    {%- set judged = {} -%}
    {%- set declared = node.config.meta.monitor.get('metrics', default) -%}
    {%- do eiderdown.refuse_unknown_fields(where, declared, known) -%}
    {%- for metric, limits in declared.items() -%}
        {%- do eiderdown.refuse_unknown_fields(
            where ~ "." ~ metric, limits or {}, ['max_loss', 'max_relative_loss', 'min_count']
        ) -%}
        {%- set max_loss, max_relative_loss = (limits or {}).get('max_loss'), (limits or {}).get('max_relative_loss') -%}
        {%- set losses = [max_loss, max_relative_loss] | select('number') | list -%}
        {%- if losses | length != 1 or losses[0] < 0 -%}
            {{ exceptions.raise_compiler_error(
                where ~ "." ~ metric ~ " needs either max_loss or max_relative_loss, a number that is not negative, such as "
                ~ "{max_loss: 0.02}"
            ) }}
        {%- endif -%}
        {%- do judged.update({metric: {
            'max_loss': max_loss, 'max_relative_loss': max_relative_loss, 'min_count': limits.get('min_count', 100),
        }}) -%}
    {%- endfor -%}
    {{ return(judged) }}
{% endmacro %}


{# Rows (metric, max_loss, max_relative_loss, min_count) of judged metrics. #}
{% macro allowed_losses(judged) %}
    {%- for metric, limits in judged.items() %}
    select
        {{ eiderdown.literal(metric) }} as metric,
        cast({{ 'null' if limits.max_loss is none else limits.max_loss }} as double) as max_loss,
        cast({{ 'null' if limits.max_relative_loss is none else limits.max_relative_loss }} as double) as max_relative_loss,
        {{ limits.min_count }} as min_count
    union all
    {%- endfor %}
    select null, null, null, null where false
{% endmacro %}
