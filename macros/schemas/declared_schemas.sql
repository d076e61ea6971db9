{#
    The schemas of nodes, as ml/schemas/declaration.py makes rows of them: {relations: [row], columns: [row]}. A declaration that
    cannot hold is a compiler error that names model, column, field and remedy.

    A relation with `monitor.model` is the environment `serving` and keeps the schema of the dataset that its model learns from,
    without the labels; what its own YAML says of a column comes first. All others are `training`.
#}
{% macro declared_schemas(nodes) %}
    {%- set asked = [] -%}
    {%- for node in nodes -%}{%- do asked.append(eiderdown.raw_schema(node)) -%}{%- endfor -%}
    {%- set answer = fromjson(run_query("select eiderdown_schemas(" ~ eiderdown.literal(tojson(asked)) ~ ")").rows[0][0]) -%}
    {%- if answer.problems -%}{{ exceptions.raise_compiler_error(answer.problems | join('\n')) }}{%- endif -%}
    {{ return(answer) }}
{% endmacro %}


{# Stop before anything runs where the schema of a monitored relation cannot hold: an on-run-start hook of the package. #}
{% macro check_schemas() %}
    {%- if execute -%}{%- do eiderdown.declared_schemas(eiderdown.monitored_nodes()) -%}{%- endif -%}
{% endmacro %}


{# What a node's YAML says, as ml/schemas/declaration.py takes it. #}
{% macro raw_schema(node) %}
    {%- set meta = node.config.meta or {} -%}
    {%- set monitor = meta.monitor or {} -%}
    {%- set columns = {} -%}
    {%- set left_out = [monitor.at] + (monitor.get('except') or []) + eiderdown.unwatched(meta) -%}
    {%- if monitor.model -%}
        {%- set dataset = eiderdown.dataset_node_of(monitor.model) -%}
        {%- set declared = dataset.config.meta.dataset -%}
        {%- do left_out.extend([declared.row_id, declared.at] + declared.get('labels', [])) -%}
        {%- do columns.update(eiderdown.raw_columns(dataset)) -%}
        {#- What a prediction has beside its features. -#}
        {%- for name in ['status', 'missing', 'score', 'label'] -%}
            {%- do columns.update({name: {'model': node.name, 'type': none, 'meta': {}}}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do columns.update(eiderdown.raw_columns(node)) -%}
    {%- for name, column in columns.items() if name in left_out -%}{%- do column.update({'is_left_out': true}) -%}{%- endfor -%}
    {{ return({
        'relation': node.schema ~ '.' ~ node.alias,
        'environment': 'serving' if monitor.model else 'training',
        'model': node.name,
        'schema': meta.get('schema'),
        'columns': columns,
    }) }}
{% endmacro %}


{# The columns of a node's YAML: {name: {model, type, is_required, meta}}. #}
{% macro raw_columns(node) %}
    {%- set columns = {} -%}
    {%- for column in node.columns.values() -%}
        {%- set kinds = column.constraints | map(attribute='type') | map('string') | list -%}
        {%- do columns.update({column.name: {
            'model': node.name,
            'type': column.data_type,
            'is_required': 'not_null' in kinds or 'primary_key' in kinds,
            'meta': (column.config or {}).get('meta') or column.meta or {},
        }}) -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}
