{#
    What a build would do to versions: for each feature view and dataset of the compiled project beside what is recorded, a
    mapping {kind, name, version, state, what, causes, used_by, remedy}. `state` is 'new', 'unchanged', 'additive',
    'breaking', 'retired' or, for a dataset, 'changed'. Nothing is written.

    Called by `eiderdown diff` (ml/project.py), where the graph's nodes carry their compiled SQL.
#}
{% macro diff() %}
    {%- set states = {} -%}
    {%- set lines = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
        {%- set meta = node.config.meta or {} -%}
        {%- if 'feature_view' in meta -%}
            {%- do lines.append(eiderdown.view_difference(node, states)) -%}
        {%- elif 'dataset' in meta -%}
            {%- do lines.append(eiderdown.dataset_difference(node, states)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set registry = adapter.get_relation(target.database, 'registry', 'feature_views') -%}
    {%- if registry -%}
        {%- set present = lines | selectattr('kind', 'equalto', 'feature view') | map(attribute='relation') | list -%}
        {%- for row in run_query("select view, version, relation, status from " ~ registry ~ " order by all").rows -%}
            {%- if row[2] not in present -%}
                {%- do lines.append({
                    'kind': 'feature view', 'name': row[0], 'version': row[1] | int, 'relation': row[2], 'state': 'retired',
                    'what': [] if row[3] == 'retired' else ['it has left the project'], 'causes': [],
                    'used_by': eiderdown.users_of({'view': row[0], 'version': row[1] | int}), 'remedy': none,
                }) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(lines | sort(attribute='kind,name,version', reverse=true)) }}
{% endmacro %}


{# What building a feature view's node would change. states: what planned_state() has found, and this adds to. #}
{% macro view_difference(node, states) %}
    {%- set declaration = eiderdown.feature_view_declaration(node) -%}
    {%- set changed = eiderdown.changed_meaning(declaration, eiderdown.planned_state(node, states).recorded) -%}
    {%- set is_changed = changed.kind in ('additive', 'breaking') -%}
    {%- set users = eiderdown.users_of(declaration) if is_changed else [] -%}
    {{ return({
        'kind': 'feature view', 'name': declaration.view, 'version': declaration.version,
        'relation': node.schema ~ '.' ~ node.alias, 'state': changed.kind, 'what': changed.what, 'causes': changed.causes,
        'used_by': users, 'remedy': eiderdown.remedy(declaration, changed, users) if is_changed else none,
    }) }}
{% endmacro %}


{# What building a dataset's node would change: only its definition is compared, since rows are not known beforehand. #}
{% macro dataset_difference(node, states) %}
    {%- set name = node.schema ~ '.' ~ node.alias -%}
    {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
    {%- set recorded = eiderdown.recorded_states([relation])[name].recorded -%}
    {%- set planned = eiderdown.planned_state(node, states).recorded -%}
    {%- set state = 'new' if not recorded else 'unchanged' if recorded.fingerprint == planned.fingerprint else 'changed' -%}
    {{ return({
        'kind': 'dataset', 'name': node.alias, 'version': none, 'relation': name, 'state': state,
        'what': ['its definition; a build records a new version and trains on it'] if state == 'changed' else [],
        'causes': [], 'used_by': [], 'remedy': none,
    }) }}
{% endmacro %}


{#
    What recorded_states() would give for a node's relation if the project were built now, made from the graph's compiled
    SQL alone. states: those that are known, by relation.
#}
{% macro planned_state(node, states) %}
    {%- set name = node.schema ~ '.' ~ node.alias -%}
    {%- if name not in states -%}
        {%- set recorded = {} -%}
        {%- set meta = node.config.meta or {} -%}
        {%- for id in node.depends_on.nodes or [] if id in graph.nodes -%}
            {%- do eiderdown.planned_state(graph.nodes[id], states) -%}
        {%- endfor -%}
        {%- if node.language == 'sql' and node.compiled_code
            and ('record_fingerprint' in tojson(node.config['post-hook']) or 'feature_view' in meta or 'dataset' in meta) -%}
            {%- set definition = eiderdown.definition(node, states) -%}
            {%- if 'feature_view' in meta -%}
                {%- do definition.update({'declaration': eiderdown.declared_meaning(eiderdown.feature_view_declaration(node))}) -%}
            {%- else -%}
                {%- do definition.update({'declaration': eiderdown.dataset_definition(node) if 'dataset' in meta else {}}) -%}
            {%- endif -%}
            {%- do recorded.update(eiderdown.meaning_of(definition)) -%}
            {%- if 'feature_view' in meta -%}
                {#- A version that means what it meant keeps the fingerprint that its readers know. #}
                {%- do eiderdown.changed_meaning(eiderdown.feature_view_declaration(node), recorded) -%}
            {%- endif -%}
        {%- endif -%}
        {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
        {%- do states.update({name: {
            'recorded': recorded,
            'columns': {} if recorded else eiderdown.recorded_states([relation])[name].columns,
        }}) -%}
    {%- endif -%}
    {{ return(states[name]) }}
{% endmacro %}
