{#
    registry.model_versions: every version of every model, trained here or brought over from another environment (`origin`).

    models: what ref() returns for the project's training models, all of them.
#}
{% macro model_versions(models) -%}
    {{ return(adapter.dispatch('model_versions', 'eiderdown')(models)) }}
{%- endmacro %}

{% macro default__model_versions(models) -%}
    {%- if execute -%}{%- do eiderdown.refuse_left_out('model', models) -%}{%- endif -%}
    {%- for relation in models %}
select * exclude (invocation_id) from {{ relation }}
union all by name
    {%- endfor %}
{{ eiderdown.brought_over('model_record', 'model_versions') }}
{%- endmacro %}
