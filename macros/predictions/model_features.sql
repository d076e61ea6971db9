{#
    The features that a model's champion takes, for rows that are to be predicted now: by the champion's own signature, as
    the server makes them, whatever the dataset has become since.

    model: the model's name. spine: the name of a CTE (or a relation) with the request's fields and the prediction time.
    Returns a select statement: the spine's columns, the features, and `<view>_v<N>_status` for each view.
#}
{% macro model_features(model, spine) -%}
    {{ return(adapter.dispatch('model_features', 'eiderdown')(model, spine)) }}
{%- endmacro %}

{% macro default__model_features(model, spine) -%}
    {%- set champion = eiderdown.champion_of(model) -%}
    {%- if not champion -%}{{ return('select * from ' ~ spine) }}{%- endif -%}
    {%- set signature = champion.signature -%}
{{ return(eiderdown.with_request_features(
    eiderdown.point_in_time_join(spine, eiderdown.declarations_of(signature), signature.at, true), signature.expressions
)) }}
{%- endmacro %}


{# The declarations of the stored feature views of a signature. #}
{% macro declarations_of(signature) %}
    {%- set declarations = [] -%}
    {%- for view in signature.views -%}
        {%- do declarations.append(eiderdown.declaration_of_version(view.view, view.version)) -%}
    {%- endfor -%}
    {{ return(declarations) }}
{% endmacro %}


{#
    A model's champion as it is when the calling model is built: {version, signature}. None where nothing is built yet, as in
    dbt compile before the first run.
#}
{% macro champion_of(model_name) %}
    {%- set versions, aliases = ref('model_versions'), ref('current_aliases') -%}
    {%- if not execute or load_relation(versions) is none -%}{{ return(none) }}{%- endif -%}
    {%- set query -%}
        select version, cast(signature as varchar)
        from {{ versions }}
        inner join {{ aliases }} using (model, version)
        where model = {{ eiderdown.literal(model_name) }} and alias = 'champion'
    {%- endset -%}
    {%- set rows = run_query(query).rows -%}
    {%- if not rows -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": the model '" ~ model_name ~ "' has no champion in registry.current_aliases; train it first"
        ) }}
    {%- endif -%}
    {{ return({'version': rows[0][0] | int, 'signature': fromjson(rows[0][1])}) }}
{% endmacro %}


{# The declaration of a version of a feature view, by name. #}
{% macro declaration_of_version(view, version) %}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == view -%}
        {%- if node.version and node.version | int == version and 'feature_view' in (node.config.meta or {}) -%}
            {{ return(eiderdown.feature_view_declaration(node)) }}
        {%- endif -%}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        "the champion reads " ~ view ~ "_v" ~ version ~ ", which is not in the project; keep it until a model that does "
        ~ "without it is champion"
    ) }}
{% endmacro %}
