{#
    The request, for a request-time feature view: an empty relation with the view's inputs, typed.

    A view whose config.meta.feature_view has `inputs: {name: type}` in the place of entity and times is computed from the
    request: one select of expressions over request fields, the prediction time, stored features, and features of
    request-time views that a dataset lists before it. The model itself builds an empty table, which checks names and
    types; a dataset computes the expressions in DuckDB, and the server the same text without it (ml/expressions).
#}
{% macro request() -%}
    {{ return(adapter.dispatch('request', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__request() -%}
    {%- set inputs = {} -%}
    {%- if execute -%}
        {%- do inputs.update(((graph.nodes[model.unique_id].config.meta or {}).get('feature_view') or {}).get('inputs') or {}) -%}
    {%- endif -%}
    {{- eiderdown.request_relation(inputs) -}}
{%- endmacro %}


{# The relation itself, typed and empty. inputs: {name: type}. #}
{% macro request_relation(inputs) -%}
    (select {% for name, type in inputs.items() %}cast(null as {{ type }}) as {{ name }}, {% endfor %}null where false) as request
{%- endmacro %}


{#
    What a request-time feature view declares, checked: {view, version, name, relation, kind, inputs, features, sql,
    description, …}; `features` maps the name of each column to its type.
#}
{% macro request_view_declaration(node) %}
    {%- set name = node.name ~ '_v' ~ node.version -%}
    {%- set declared = node.config.meta.feature_view -%}
    {%- for field in declared if field != 'inputs' -%}
        {{ exceptions.raise_compiler_error(
            "feature view " ~ name ~ ": meta.feature_view has inputs, so it is computed from the request, and '" ~ field
            ~ "' has no meaning; leave it out"
        ) }}
    {%- endfor -%}
    {%- if not declared.inputs or declared.inputs is not mapping -%}
        {{ exceptions.raise_compiler_error(
            "feature view " ~ name ~ ": meta.feature_view.inputs must map names to types, such as {ordered_at: timestamptz}"
        ) }}
    {%- endif -%}
    {%- set features = {} -%}
    {%- for column in node.columns.values() -%}
        {%- do features.update({column.name: column.data_type}) -%}
    {%- endfor -%}
    {{ return({
        'view': node.name,
        'version': node.version | int,
        'name': name,
        'relation': node.relation_name,
        'kind': 'request',
        'entity': [],
        'entity_types': {},
        'event_at': none,
        'known_at': none,
        'ttl': none,
        'online': false,
        'inputs': declared.inputs,
        'features': features,
        'sql': node.raw_code,
        'description': node.description,
    }) }}
{% endmacro %}


{#
    The features of request-time views, in order: [{name, type, expression, view}].

    declarations: of request-time views. available: {name: type} of what they may read, checked; none where it is not known.
#}
{% macro request_features(declarations, available=none) %}
    {%- if not declarations -%}{{ return([]) }}{%- endif -%}
    {%- set views = [] -%}
    {%- for view in declarations -%}
        {%- do views.append({'name': view.name, 'sql': view.sql, 'inputs': view.inputs, 'features': view.features}) -%}
    {%- endfor -%}
    {%- set request = tojson({'views': views, 'available': available}) -%}
    {%- set answer = fromjson(run_query("select eiderdown_request_features(" ~ eiderdown.literal(request) ~ ")").rows[0][0]) -%}
    {%- if 'error' in answer -%}{{ exceptions.raise_compiler_error(answer.error) }}{%- endif -%}
    {{ return(answer.expressions) }}
{% endmacro %}


{# A select with the features of request-time views added, view by view, since one may read those before it. #}
{% macro with_request_features(select, expressions) -%}
    {%- set added = namespace(select=select) -%}
    {%- for view in expressions | map(attribute='view') | unique -%}
        {%- set columns = [] -%}
        {%- for feature in expressions if feature.view == view -%}
            {%- do columns.append(feature.expression ~ ' as ' ~ feature.name) -%}
        {%- endfor -%}
        {%- set added.select = 'select\n    *,\n    ' ~ columns | join(',\n    ') ~ '\nfrom (\n' ~ added.select ~ '\n)' -%}
    {%- endfor -%}
    {{ return(added.select) }}
{%- endmacro %}
