{#
    Keep what a model of the project declares under config.meta.model for the Python model that holds its trials, which dbt
    tells its own declaration only: `artifacts/tuning/<model>/declaration.json`.
#}
{% macro keep_declaration(model_name) %}
    {%- do eiderdown.task_of(model_name) -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and 'model' in (node.config.meta or {}) -%}
        {%- if node.alias == model_name -%}
            {%- do run_query(
                "select eiderdown_keep_text("
                ~ eiderdown.literal(eiderdown.home() ~ '/artifacts/tuning/' ~ model_name ~ '/declaration.json') ~ ", "
                ~ eiderdown.literal(tojson(node.config.meta.model)) ~ ")"
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
