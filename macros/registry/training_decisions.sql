{#
    registry.training_decisions: for each model the latest decision to train or not, and why.

    `version` is the one that stands after it, `dataset_version` the one that was decided on. Why each version was trained is
    in registry.model_versions.reason. `serving` is what the model declares of how it is served, which trains nothing.
#}
{% macro training_decisions() -%}
    {{ return(adapter.dispatch('training_decisions', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__training_decisions() -%}
{{ config(history=false) }}
{#- After the training. #}
{%- do ref('model_versions') %}
{%- set serving = {} -%}
{%- for node in (graph.nodes or {}).values() if node.resource_type == 'model' and 'model' in (node.config.meta or {}) -%}
    {%- do serving.update({node.alias: node.config.meta.model.get('serving', {})}) -%}
{%- endfor %}
select
    model,
    decision,
    version,
    dataset,
    dataset_version,
    reason,
    coalesce(cast({{ eiderdown.literal(tojson(serving)) }} as json) -> model, '{}') as serving
from read_json(
    {{ eiderdown.literal(eiderdown.home() ~ '/artifacts/training/*.json') }},
    columns = {
        model: 'varchar', decision: 'varchar', version: 'integer', dataset: 'varchar', dataset_version: 'integer',
        reason: 'varchar'
    }
)
where model is not null
{%- endmacro %}
