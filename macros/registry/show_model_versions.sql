{#
    Show the registry of models to readers that must not open the warehouse while dbt holds it, and to `predict()`:
    `artifacts/models/versions.json`, {versions: rows of registry.model_versions, aliases: rows of registry.current_aliases,
    decisions: the ids of the events that these hold}; readers add the decisions that have been made since.

    A hook of registry.current_aliases, after its commit: what a kill leaves out, the next run makes.
#}
{% macro show_model_versions() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- do run_query(
        "select eiderdown_keep_text(" ~ eiderdown.literal(eiderdown.home() ~ '/artifacts/models/versions.json') ~ ", "
        ~ "cast(json_object('versions', (select coalesce(to_json(list(versions order by model, version)), json('[]')) "
        ~ "from (select * exclude (invocation_id) from " ~ ref('model_versions') ~ ") as versions), "
        ~ "'aliases', (select coalesce(to_json(list(aliases order by model, alias)), json('[]')) from " ~ this ~ " as aliases), "
        ~ "'decisions', (select coalesce(to_json(list(event_id order by event_id)), json('[]')) from " ~ ref('decisions') ~ ")"
        ~ ") as varchar))"
    ) -%}
{% endmacro %}
