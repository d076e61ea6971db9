{#
    Stop before anything runs where the declaration of votes, of a label model or of its scores cannot hold, with the field, what is
    wrong and the remedy. An on-run-start hook of the package, so that it runs in the projects that install it too.
#}
{% macro check_labels() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- set asked = {'votes': {}, 'label_models': {}, 'scores': {}, 'datasets': {}} -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
        {%- set meta = node.config.meta or {} -%}
        {%- if 'votes' in meta -%}
            {%- do asked.votes.update({node.alias: {
                'declared': meta.votes, 'schema': node.schema, 'hooks': tojson(node.config['post-hook']),
            }}) -%}
        {%- elif 'label_model' in meta -%}
            {%- for field in ['class_balance', 'accuracies'] -%}
                {%- set declared = (meta.label_model or {})[field] -%}
                {%- for name in (declared if declared is mapping else []) if name is not string -%}
                    {#- With such a key in its meta dbt 1.11 never starts the node, and never ends. #}
                    {{ exceptions.raise_compiler_error(
                        "model " ~ node.alias ~ ": config.meta.label_model." ~ field ~ " has the key " ~ name
                        ~ ", which YAML reads as no text, and dbt would hang; write it in quotes, such as 'false': 0.75"
                    ) }}
                {%- endfor -%}
            {%- endfor -%}
            {%- do asked.label_models.update({node.alias: {'declared': meta.label_model, 'schema': node.schema}}) -%}
        {%- elif 'labels' in (meta.scores or {}) -%}
            {%- do asked.scores.update({node.alias: meta.scores}) -%}
        {%- elif 'dataset' in meta -%}
            {%- do asked.datasets.update({node.alias: eiderdown.data_types(node)}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not asked.votes and not asked.label_models and not asked.scores -%}{{ return('') }}{%- endif -%}
    {%- set problems = run_query("select eiderdown_label_problems(" ~ eiderdown.literal(tojson(asked)) ~ ")").rows[0][0] -%}
    {%- if problems -%}{{ exceptions.raise_compiler_error(problems) }}{%- endif -%}
{% endmacro %}
