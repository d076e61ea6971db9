{#
    The predictions of a model that servers logged, with a column for each request field and each feature, so that they are a
    relation like any other: what was served can be profiled, validated and compared with what the model learned from. Of a
    request in an experiment it is what answered or went into an answer, also to a request to another model; shadows and the
    mean of an ensemble are in experiments.experiment_predictions alone.

    model: the model's name. Returns a select statement with columns event_id, request_id, logged_at, predicted_at, version,
    release, status, missing, the dataset's request fields and features (typed as in its contract), score (a number; of classes
    the probability of the likeliest) and label (boolean, or the likeliest class as text; null for a regression). A value that
    was not logged, or is none, is null. The calling model holds the rows; each prediction is taken in once.
#}
{% macro served(model) -%}
    {{ return(adapter.dispatch('served', 'eiderdown')(model)) }}
{%- endmacro %}

{% macro default__served(model) -%}
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='append_new_columns') }}
{%- set log = ref('prediction_log') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set dataset = eiderdown.dataset_node_of(model) -%}
{%- set declared = dataset.config.meta.dataset -%}
{%- set types = eiderdown.data_types(dataset) -%}
{%- set fields, features = {}, {} -%}
{%- for column, type in types.items() if column not in [declared.row_id, declared.at] + declared.get('labels', []) -%}
    {%- do (fields if column in declared.request else features).update({column: type}) -%}
{%- endfor -%}
with logged as (
    select *
    from {{ log }} as log
    where model = {{ eiderdown.literal(model) }}
        and {{ eiderdown.is_served('log') }}
    {%- if is_incremental() %}
        and not exists (from {{ this }} as held where held.event_id = log.event_id)
    {%- endif %}
)

select
    event_id,
    request_id,
    logged_at,
    predicted_at,
    version,
    release,
    status,
    missing,
    {%- for column, type in fields.items() %}
    cast(instance ->> {{ eiderdown.literal('$."' ~ column ~ '"') }} as {{ type }}) as {{ column }},
    {%- endfor %}
    {%- for column, type in features.items() %}
    cast({{ eiderdown.logged_value(column, type) }} as {{ type }}) as {{ column }},
    {%- endfor %}
    coalesce(score, list_max(map_values(probabilities))) as score,
    {{ "class" if eiderdown.task_of(model) == 'multiclass' else "label" }} as label
from logged
{%- endmacro %}


{# Whether a row of the prediction log is a version's own prediction that answered, or went into an answer. #}
{% macro is_served(log) -%}
    coalesce({{ log }}.assignment.role, 'answer') in ('answer', 'member')
{%- endmacro %}


{# The text of a feature that was logged, or the JSON of a nested one. #}
{% macro logged_value(column, type) -%}
    features {{ '->' if '[' in type or '(' in type and 'decimal' not in type | lower else '->>' }} {{ eiderdown.literal('$."' ~ column ~ '"') }}
{%- endmacro %}


{# The node of the dataset that a model of the project learns from. #}
{% macro dataset_node_of(model_name) %}
    {%- set declared = eiderdown.node_of_model(model_name).config.meta.model -%}
    {%- for node in graph.nodes.values() if 'dataset' in (node.config.meta or {}) and node.alias == declared.dataset -%}
        {{ return(node) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        model.name ~ ": the model '" ~ model_name ~ "' learns from the dataset '" ~ declared.dataset ~ "', which is not in the project"
    ) }}
{% endmacro %}
