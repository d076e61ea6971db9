{#
    Stop before anything runs where a model's declaration cannot hold, with the field, what is wrong and the remedy. An
    on-run-start hook of the package, so that it runs in the projects that install it too.
#}
{% macro check_models() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- set models, datasets = {}, {} -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
        {%- set meta = node.config.meta or {} -%}
        {%- if 'model' in meta -%}
            {%- do models.update({node.alias: meta.model}) -%}
        {%- elif 'dataset' in meta -%}
            {%- set labels = meta.dataset.get('labels', []) -%}
            {%- do datasets.update({node.alias: {
                'columns': eiderdown.data_types(node),
                'not_features': [meta.dataset.row_id, meta.dataset.at] + labels,
                'request': meta.dataset.get('request', []),
            }}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set asked = tojson({'models': models, 'datasets': datasets}) -%}
    {%- set problems = run_query("select eiderdown_model_problems(" ~ eiderdown.literal(asked) ~ ")").rows[0][0] -%}
    {%- if problems -%}{{ exceptions.raise_compiler_error(problems) }}{%- endif -%}
{% endmacro %}
