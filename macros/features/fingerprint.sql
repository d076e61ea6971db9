{#
    The fingerprint of what a SQL model means, as {fingerprint, canonical, upstream, declaration, as_of, …} in a comment on
    its relation. `as_of`, in microseconds, is where the clock stood when the rows were made, by the oldest of the model's
    upstream; none where the clock is not upstream. A release refuses a view that was made at another time than its own.

    The comment is the one place that holds it: it is written in the transaction that builds the relation, and survives
    dbt's renaming. The fingerprint covers the model's own SQL in canonical form, its upstream's fingerprints (a Merkle
    tree) and `declaration`. Models without a recorded fingerprint count with the checksum of their file, sources by name.

    As a post-hook on the SQL models that feature views read:  +post-hook: "{{ eiderdown.record_fingerprint() }}"
#}
{% macro record_fingerprint() %}
    {%- if execute and model.language == 'sql' -%}
        {%- set recorded = eiderdown.fingerprint({}) -%}
        {%- if model.name == 'clock' -%}
            {%- do recorded.update({'as_of': run_query("select epoch_us(as_of) from " ~ this).rows[0][0] | int}) -%}
        {%- endif -%}
        {{ eiderdown.comment_on(this, recorded) }}
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


{#
    {fingerprint, canonical, upstream, declaration, as_of} of the model that is being built. `upstream` maps the relations that it
    reads to their fingerprints. declaration: more that its meaning depends on.
#}
{% macro fingerprint(declaration) %}
    {%- set upstream = {} -%}
    {%- set nodes = [] -%}
    {%- set relations = [] -%}
    {%- for id in model.depends_on.nodes -%}
        {%- if id in graph.sources -%}
            {%- set source = graph.sources[id] -%}
            {%- do upstream.update({source.source_name ~ '.' ~ source.name: 'source'}) -%}
        {%- else -%}
            {%- set node = graph.nodes[id] -%}
            {%- do nodes.append(node) -%}
            {%- do relations.append(
                api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set states = eiderdown.recorded_states(relations) -%}
    {%- set schema = {} -%}
    {%- set moments = [] -%}
    {%- for node in nodes -%}
        {%- set state = states[node.schema ~ '.' ~ node.alias] -%}
        {%- do moments.append(state.recorded.as_of) if state.recorded.as_of -%}
        {%- do upstream.update(
            {node.schema ~ '.' ~ node.alias: state.recorded.get('fingerprint') or node.checksum.checksum}
        ) -%}
        {%- do schema.setdefault(node.schema, {}).update({node.alias: state.columns}) -%}
    {%- endfor -%}
    {%- set request = {
        'sql': model.compiled_code.replace(eiderdown.home() ~ '/', ''),
        'schema': schema,
        'upstream': upstream,
        'declaration': declaration,
    } -%}
    {%- set answer = run_query("select eiderdown_fingerprint(" ~ eiderdown.literal(tojson(request)) ~ ")") -%}
    {%- set fingerprint = fromjson(answer.columns[0][0]) -%}
    {#- Kept to say later what has changed; the fingerprint itself does not tell. #}
    {%- do fingerprint.update({'upstream': upstream, 'declaration': declaration, 'as_of': moments | min if moments else none}) -%}
    {{ return(fingerprint) }}
{% endmacro %}


{#
    What comment_on() stored on relations, and their columns: {schema.table: {recorded, columns: {name: type}}}, by one
    query for them all. Empty mappings where nothing is stored, or nothing is there.
#}
{% macro recorded_states(relations) %}
    {%- set states = {} -%}
    {%- if not relations -%}{{ return(states) }}{%- endif -%}
    {%- for relation in relations -%}
        {%- do states.update({relation.schema ~ '.' ~ relation.identifier: {'recorded': {}, 'columns': {}}}) -%}
    {%- endfor -%}
    {%- set query -%}
        with described as (
            select database_name, schema_name, table_name as name, comment from duckdb_tables()
            union all
            select database_name, schema_name, view_name, comment from duckdb_views()
        )
        select
            described.schema_name || '.' || name as relation,
            any_value(if(described.comment like '{"%', described.comment, null)) as recorded,
            cast(to_json(map(
                list(column_name order by column_index), list(data_type order by column_index)
            )) as varchar) as columns
        from described
        inner join duckdb_columns() as columns
            on described.database_name = columns.database_name
            and described.schema_name = columns.schema_name
            and name = columns.table_name
        where described.database_name = {{ eiderdown.literal(relations[0].database) }}
            and relation in ({% for name in states %}{{ eiderdown.literal(name) }}{{ ', ' if not loop.last }}{% endfor %})
        group by all
    {%- endset -%}
    {%- for row in run_query(query).rows -%}
        {%- do states.update({
            row[0]: {'recorded': fromjson(row[1]) if row[1] else {}, 'columns': fromjson(row[2])}
        }) -%}
    {%- endfor -%}
    {{ return(states) }}
{% endmacro %}
