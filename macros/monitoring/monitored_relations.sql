{#
    monitoring.monitored_relations: what is monitored, and how, as declared in config.meta.monitor (macros/monitoring/monitored.sql);
    so that who reads the warehouse, such as `eiderdown report`, knows windows and comparisons without the project.

    training_relation: the dataset that the model of served predictions learns from.
#}
{% macro monitored_relations() -%}
    {{ return(adapter.dispatch('monitored_relations', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__monitored_relations() -%}
{{ config(history=false) }}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set rows = [] -%}
{%- for node in eiderdown.monitored_nodes() -%}
    {%- do rows.append(eiderdown.monitored_row(eiderdown.monitored(node))) -%}
{%- endfor -%}
{{ rows | join('\nunion all\n') if rows else eiderdown.monitored_row({'compare': {}}) ~ ' where false' }}
{%- endmacro %}


{# What monitored() returns, as a select statement of one row. #}
{% macro monitored_row(declared) -%}
{%- set range = declared.compare.reference or {} -%}
{%- set dataset = eiderdown.dataset_node_of(declared.model) if declared.compare.training -%}
{%- set comparisons = [] -%}
{%- for comparison in ['reference', 'previous', 'training'] if declared.compare[comparison] -%}
    {%- do comparisons.append(comparison) -%}
{%- endfor -%}
select
    {{ eiderdown.literal(declared.relation) }} as relation,
    {{ eiderdown.literal(declared.at) }} as "at",
    {{ eiderdown.literal(declared.every) }} as every,
    {{ eiderdown.literal_list(declared.slices or []) }} as slices,
    {{ eiderdown.literal(declared.model) }} as model,
    {{ eiderdown.literal_list(comparisons) }} as comparisons,
    cast({{ eiderdown.literal(range.get('from')) }} as timestamptz) as reference_from,
    cast({{ eiderdown.literal(range.get('to')) }} as timestamptz) as reference_to,
    {{ eiderdown.literal(dataset.schema ~ '.' ~ dataset.alias if dataset) }} as training_relation
{%- endmacro %}


{# Texts as a list of SQL. #}
{% macro literal_list(texts) -%}
    cast([{% for text in texts %}{{ eiderdown.literal(text) }}{{ ', ' if not loop.last }}{% endfor %}] as varchar[])
{%- endmacro %}
