{#
    registry.model_versions: every trained version of every model.

    models: what ref() returns for the project's training models, all of them.
#}
{% macro model_versions(models) -%}
    {{ return(adapter.dispatch('model_versions', 'eiderdown')(models)) }}
{%- endmacro %}

{% macro default__model_versions(models) -%}
    {%- if execute -%}{%- do eiderdown.refuse_left_out('model', models) -%}{%- endif -%}
    {%- for relation in models %}
select * from {{ relation }}
        {%- if not loop.last %}
union all
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
