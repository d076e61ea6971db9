{#
    A feature view: a table under an enforced contract, built in one transaction, that carries its fingerprint.

    A version keeps its meaning: where the registry holds another meaning of this version, the build stops before the
    table is touched (keep_meaning.sql).

    Rows that were pushed to it are added (pushed.sql).

    A view whose SQL is windows() is brought up to date where that can be done (windows_obstacle()), otherwise built anew.
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
    {%- set recorded = eiderdown.fingerprint(eiderdown.declared_meaning(declaration)) -%}
    {%- do eiderdown.keep_meaning(declaration, recorded) -%}

    {{ run_hooks(pre_hooks) }}
    {%- do adapter.drop_relation(load_cached_relation(this)) if (load_cached_relation(this) or {}).type == 'view' -%}
    {%- set facts = eiderdown.windows_facts(compiled_code) -%}
    {%- set pushed = eiderdown.pushed_to(declaration, recorded.as_of) if declaration.kind == 'stored' -%}
    {% call statement('main') -%}
        {%- if facts %}
        {{ eiderdown.build_windows(compiled_code, facts, recorded, pushed) }}
        {%- else %}
        {{ eiderdown.replace_table(this, compiled_code) }}
        {%- endif %}
        {%- if pushed %};
        {{ eiderdown.add_pushed(this, pushed) }}
        {%- endif %}
    {%- endcall %}
    {%- if declaration.kind == 'request' -%}
        {%- do recorded.update({'request_sql': declaration.sql}) -%}
    {%- else -%}
        {%- do recorded.update({'statistics': eiderdown.view_statistics(declaration)}) -%}
    {%- endif -%}
    {% call statement('comment') -%}
        {{ eiderdown.comment_on(this, recorded) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}

    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}


{# What a declaration adds to the meaning of a view's SQL. #}
{% macro declared_meaning(declaration) %}
    {%- if declaration.kind == 'request' -%}
        {{ return({'inputs': declaration.inputs, 'features': declaration.features}) }}
    {%- endif -%}
    {{ return({
        'entity': declaration.entity,
        'event_at': declaration.event_at,
        'known_at': declaration.known_at,
        'ttl': declaration.ttl,
        'features': declaration.features,
    }) }}
{% endmacro %}


{# Statements that build a table under the model's contract in the place of the one that is there. #}
{% macro replace_table(relation, select) -%}
    {{ get_assert_columns_equivalent(select) }}
    create or replace table {{ relation }} {{ get_table_columns_and_constraints() }};
    insert into {{ relation }} {{ get_column_names() }} {{ get_select_subquery(select) }}
{%- endmacro %}


{# The statement that adds pushed rows to a table, but for keys that it has. #}
{% macro add_pushed(relation, select) -%}
    insert into {{ relation }} {{ get_column_names() }} ({{ select }}) on conflict do nothing
{%- endmacro %}
