{#
    The fingerprint of what a SQL model means, as {fingerprint, canonical, …} in a comment on its relation.

    The comment is the one place that holds it: it is written in the transaction that builds the relation, and survives
    dbt's renaming. The fingerprint covers the model's own SQL in canonical form, its upstream's fingerprints (a Merkle
    tree) and `declaration`. Models without a recorded fingerprint count with the checksum of their file, sources by name.

    As a post-hook on the SQL models that feature views read:  +post-hook: "{{ eiderdown.record_fingerprint() }}"
#}
{% macro record_fingerprint() %}
    {%- if execute and model.language == 'sql' -%}
        {{ eiderdown.comment_on(this, eiderdown.fingerprint({})) }}
    {%- endif -%}
{% endmacro %}


{# The statement that stores a mapping as JSON in the comment on a relation. #}
{% macro comment_on(relation, value) -%}
    comment on {{ 'view' if model.config.materialized == 'view' else 'table' }} {{ relation }}
    is {{ eiderdown.literal(tojson(value)) }}
{%- endmacro %}


{# A SQL string literal of a text; `null` for none. #}
{% macro literal(text) -%}
    {%- if text is none or text is undefined -%}null{%- else -%}'{{ (text | string).replace("'", "''") }}'{%- endif -%}
{%- endmacro %}


{# {fingerprint, canonical} of the model that is being built. declaration: more that its meaning depends on. #}
{% macro fingerprint(declaration) %}
    {%- set upstream = {} -%}
    {%- set schema = {} -%}
    {%- for id in model.depends_on.nodes -%}
        {%- if id in graph.sources -%}
            {%- set source = graph.sources[id] -%}
            {%- do upstream.update({source.source_name ~ '.' ~ source.name: 'source'}) -%}
        {%- else -%}
            {%- set node = graph.nodes[id] -%}
            {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
            {%- set recorded = eiderdown.recorded(relation).get('fingerprint') -%}
            {%- do upstream.update({node.schema ~ '.' ~ node.alias: recorded or node.checksum.checksum}) -%}
            {%- set columns = {} -%}
            {%- for column in adapter.get_columns_in_relation(relation) -%}
                {%- do columns.update({column.name: column.dtype}) -%}
            {%- endfor -%}
            {%- do schema.setdefault(node.schema, {}).update({node.alias: columns}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set request = {
        'sql': model.compiled_code.replace(eiderdown.home() ~ '/', ''),
        'schema': schema,
        'upstream': upstream,
        'declaration': declaration,
    } -%}
    {%- set answer = run_query("select eiderdown_fingerprint(" ~ eiderdown.literal(tojson(request)) ~ ")") -%}
    {{ return(fromjson(answer.columns[0][0])) }}
{% endmacro %}


{# What comment_on() stored on a relation; an empty mapping where nothing is stored. #}
{% macro recorded(relation) %}
    {%- set query -%}
        select comment
        from (
            select database_name, schema_name, table_name, comment from duckdb_tables()
            union all
            select database_name, schema_name, view_name, comment from duckdb_views()
        )
        where database_name = {{ eiderdown.literal(relation.database) }}
            and schema_name = {{ eiderdown.literal(relation.schema) }}
            and table_name = {{ eiderdown.literal(relation.identifier) }}
            and comment like '{"%'
    {%- endset -%}
    {%- set rows = run_query(query).rows -%}
    {{ return(fromjson(rows[0][0]) if rows else {}) }}
{% endmacro %}
