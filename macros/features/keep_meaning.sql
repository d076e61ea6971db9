{#
    Stop where registry.feature_views holds another meaning of a version: say which columns changed, how, who uses them, and
    what to write in its place.

    declaration: of the view; recorded: what fingerprint() says of it now, which this completes with `changes`, those that
    were taken. Where both mean the same to today's sqlglot, the version keeps the fingerprint that it has.

    A change may be taken by naming the version, --vars '{eiderdown_take_changes: [orders_v1]}', if it only adds
    columns or nobody uses the version; it is then recorded in registry.feature_views.changes.
#}
{% macro keep_meaning(declaration, recorded) %}
    {%- set changed = eiderdown.changed_meaning(declaration, recorded) -%}
    {%- if changed.kind not in ('additive', 'breaking') -%}{{ return(none) }}{%- endif -%}
    {%- set asked = var('eiderdown_take_changes', []) -%}
    {%- set name = declaration.view ~ '_v' ~ declaration.version -%}
    {%- set users = eiderdown.users_of(declaration) -%}
    {%- if name in ([asked] if asked is string else asked) and (changed.kind == 'additive' or not users) -%}
        {%- do recorded.update({'changes': recorded.changes + [{
            'taken_at': run_started_at.isoformat(),
            'invocation_id': invocation_id,
            'kind': changed.kind,
            'what': changed.what,
            'causes': changed.causes,
            'fingerprint_before': changed.fingerprint_before,
        }]}) -%}
        {{ return(none) }}
    {%- endif -%}
    {{ exceptions.raise_compiler_error(
        "feature view " ~ declaration.view ~ " version " ~ declaration.version ~ ": its meaning has changed ("
        ~ changed.kind ~ "): " ~ changed.what | join(', ')
        ~ (". It comes from " ~ changed.causes | join(', ') if changed.causes else "")
        ~ (". Used by " ~ users | join(', ') if users else ". Nobody uses it")
        ~ ". The registry holds this version, so nothing was overwritten. " ~ eiderdown.remedy(declaration, changed, users)
    ) }}
{% endmacro %}


{#
    {kind, what, causes, fingerprint_before}: what differs between a version as it is recorded now and as the registry holds
    it; `kind` is 'new', 'unchanged', 'additive' or 'breaking'. Completes `recorded` with the changes that were taken before,
    and with the registry's fingerprint where nothing differs.
#}
{% macro changed_meaning(declaration, recorded) %}
    {%- set registered = eiderdown.registered_version(declaration) -%}
    {%- do recorded.update({'changes': registered.changes or []}) -%}
    {%- set none_changed = {'kind': 'unchanged' if registered else 'new', 'what': [], 'causes': []} -%}
    {%- if not registered or registered.fingerprint == recorded.fingerprint -%}{{ return(none_changed) }}{%- endif -%}
    {%- set changed = fromjson(run_query(
        "select eiderdown_changes(" ~ eiderdown.literal(registered.definition) ~ ", "
        ~ eiderdown.literal(tojson(recorded.definition)) ~ ")"
    ).rows[0][0]) -%}
    {%- if changed.kind == 'none' -%}
        {%- do recorded.update({'fingerprint': registered.fingerprint}) -%}
        {{ return(none_changed) }}
    {%- endif -%}
    {%- do changed.update({'fingerprint_before': registered.fingerprint}) -%}
    {{ return(changed) }}
{% endmacro %}


{# What to do about a changed version, as a sentence. #}
{% macro remedy(declaration, changed, users) %}
    {%- set version = declaration.version + 1 -%}
    {%- set remedy = "Undo the change, or write it as " ~ declaration.view ~ "_v" ~ version ~ ".sql, with `- v: " ~ version
        ~ "` under versions: in its YAML and ref('" ~ declaration.view ~ "', v=" ~ version ~ ") in the list of "
        ~ "registry.feature_views" -%}
    {%- if changed.kind == 'additive' or not users -%}
        {%- set remedy = remedy ~ "; or take it into this version: dbt build --vars '{eiderdown_take_changes: ["
            ~ declaration.view ~ "_v" ~ declaration.version ~ "]}'" -%}
    {%- endif -%}
    {{ return(remedy ~ ".") }}
{% endmacro %}


{# {fingerprint, definition, changes} of a version as the registry holds it; an empty mapping where it does not. #}
{% macro registered_version(declaration) %}
    {%- set registry = adapter.get_relation(this.database, 'registry', 'feature_views') -%}
    {%- if registry -%}
        {%- for row in run_query(
            "select fingerprint, cast(definition as varchar), cast(changes as varchar) from " ~ registry ~ " where view = "
            ~ eiderdown.literal(declaration.view) ~ " and version = " ~ declaration.version
        ).rows -%}
            {{ return({'fingerprint': row[0], 'definition': row[1], 'changes': fromjson(row[2])}) }}
        {%- endfor -%}
    {%- endif -%}
    {{ return({}) }}
{% endmacro %}


{# Who uses a version of a feature view, in words: the dataset versions and model versions that were made with it. #}
{% macro users_of(declaration) %}
    {%- set sources = {
        'datasets': adapter.get_relation(this.database, 'registry', 'datasets'),
        'versions': adapter.get_relation(this.database, 'registry', 'model_versions'),
    } -%}
    {%- set users = [] -%}
    {%- for kind, relation in sources.items() if relation -%}
        {%- set used -%}
            select distinct kind, name, name_version
            from ({{ eiderdown.usage_by_datasets(relation) if kind == 'datasets' else eiderdown.usage_by_models(relation) }})
            where view = {{ eiderdown.literal(declaration.view) }} and version = {{ declaration.version }}
            order by all
        {%- endset -%}
        {%- for row in run_query(used).rows -%}
            {%- do users.append("the " ~ row[0] ~ " " ~ row[1] ~ " version " ~ row[2]) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(users) }}
{% endmacro %}
