{# The folder that holds everything at run time: warehouse, raw files, releases, events, artifacts. #}
{% macro home() -%}
    {{ return(env_var('EIDERDOWN_HOME', 'warehouse')) }}
{%- endmacro %}
