{#
    A feature view: a table under an enforced contract, built in one transaction, that carries its fingerprint.

    A version keeps its meaning: where the registry holds another fingerprint for this version, the build stops before
    the table is touched.
#}
{% materialization feature_view, adapter = 'duckdb' %}
    {%- if not config.get('contract').enforced -%}
        {{ exceptions.raise_compiler_error(
            "feature view " ~ this.identifier ~ ": a feature view needs an enforced contract; "
            ~ "set contract: {enforced: true} and give every column its data_type"
        ) }}
    {%- endif -%}
    {%- set declaration = eiderdown.feature_view_declaration(graph.nodes[model.unique_id]) -%}
    {%- do eiderdown.request_features([declaration]) if declaration.kind == 'request' -%}
    {%- set fingerprint = eiderdown.fingerprint({
        'entity': declaration.entity,
        'event_at': declaration.event_at,
        'known_at': declaration.known_at,
        'ttl': declaration.ttl,
        'features': declaration.features,
    } if declaration.kind == 'stored' else {'inputs': declaration.inputs, 'features': declaration.features}) -%}
    {%- do eiderdown.refuse_changed_version(declaration, fingerprint) -%}

    {{ run_hooks(pre_hooks) }}
    {%- do adapter.drop_relation(load_cached_relation(this)) if (load_cached_relation(this) or {}).type == 'view' -%}
    {% call statement('main') -%}
        {{ eiderdown.replace_table(this, compiled_code) }};
        {{ eiderdown.comment_on(this, fingerprint) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}

    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}


{# Statements that build a table under the model's contract in the place of the one that is there. #}
{% macro replace_table(relation, select) -%}
    {{ get_assert_columns_equivalent(select) }}
    create or replace table {{ relation }} {{ get_table_columns_and_constraints() }};
    insert into {{ relation }} {{ get_column_names() }} {{ get_select_subquery(select) }}
{%- endmacro %}


{# Stop where registry.feature_views holds another meaning of the same version, and say what differs. #}
{% macro refuse_changed_version(declaration, fingerprint) %}
    {%- set registry = adapter.get_relation(this.database, 'registry', 'feature_views') -%}
    {%- if registry -%}
        {%- set query -%}
            select fingerprint, canonical_sql from {{ registry }}
            where view = {{ eiderdown.literal(declaration.view) }} and version = {{ declaration.version }}
        {%- endset -%}
        {%- set rows = run_query(query).rows -%}
        {%- if rows and rows[0][0] != fingerprint.fingerprint -%}
            {%- set next = declaration.version + 1 -%}
            {%- set recorded = eiderdown.recorded_states([this])[this.schema ~ '.' ~ this.identifier].recorded -%}
            {%- if recorded.get('fingerprint') != rows[0][0] -%}
                {#- The table was dropped, or built by another meaning: the registry has the SQL alone. #}
                {%- set recorded = {'canonical': rows[0][1]} -%}
            {%- endif -%}
            {%- set changes = run_query(
                "select eiderdown_changes(" ~ eiderdown.literal(tojson(recorded)) ~ ", "
                ~ eiderdown.literal(tojson(fingerprint)) ~ ")"
            ).rows[0][0] -%}
            {{ exceptions.raise_compiler_error(
                "feature view " ~ declaration.view ~ " version " ~ declaration.version ~ ": its meaning has changed: "
                ~ changes ~ ". The registry holds this version, so nothing was overwritten. Undo the change, or write it as "
                ~ declaration.view ~ "_v" ~ next ~ ".sql and add version " ~ next ~ " under versions: in its YAML."
            ) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
