{#
    What a SQL model means, as {fingerprint, canonical, definition, as_of, …} in a comment on its relation: its canonical
    SQL, and its definition (ml/meaning/definition.py): its own SQL and that of the models upstream, down to the sources. `as_of`, in
    microseconds, is where the clock stood when the rows were made, by the oldest of the model's upstream; none where the
    clock is not upstream. A release refuses a view that was made at another time than its own.

    The comment is the one place that holds it: it is written in the transaction that builds the relation, and survives
    dbt's renaming.

    Of a votes model the definition's `declaration` holds config.meta.votes.

    As a post-hook on the SQL models that feature views read:  +post-hook: "{{ eiderdown.record_fingerprint() }}"
    A model without it counts with the checksum of its file.
#}
{% macro record_fingerprint() %}
    {%- if execute and model.language == 'sql' -%}
        {%- set votes = eiderdown.votes_declaration(model) -%}
        {%- set recorded = eiderdown.fingerprint({'votes': votes} if votes else {}) -%}
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
    {fingerprint, canonical, definition, as_of} of the model that is being built. declaration: what its meaning depends on
    beside the SQL.
#}
{% macro fingerprint(declaration) %}
    {%- set states = eiderdown.recorded_states(eiderdown.upstream_relations(model)) -%}
    {%- set definition = eiderdown.definition(model, states) -%}
    {%- do definition.update({'declaration': declaration}) -%}
    {%- set fingerprint = eiderdown.meaning_of(definition) -%}
    {%- set moments = states.values() | map(attribute='recorded') | selectattr('as_of') | map(attribute='as_of') -%}
    {%- do fingerprint.update({'as_of': moments | list | min or none}) -%}
    {{ return(fingerprint) }}
{% endmacro %}


{# {fingerprint, canonical, definition} of a definition. #}
{% macro meaning_of(definition) %}
    {%- set answer = run_query("select eiderdown_fingerprint(" ~ eiderdown.literal(tojson(definition)) ~ ")") -%}
    {%- set meaning = fromjson(answer.columns[0][0]) -%}
    {%- do meaning.update({'definition': definition}) -%}
    {{ return(meaning) }}
{% endmacro %}


{# The relations of the models, seeds and snapshots upstream of a node, through all that carry no record of their own. #}
{% macro upstream_relations(node) %}
    {%- set relations = [] -%}
    {%- for id in node.depends_on.nodes or [] if id in graph.nodes -%}
        {%- set read = graph.nodes[id] -%}
        {%- do relations.append(api.Relation.create(database=read.database, schema=read.schema, identifier=read.alias)) -%}
        {%- set has_record = read.language == 'sql' and 'record_fingerprint' in tojson(read.config['post-hook']) -%}
        {%- if not has_record or read.config.materialized == 'ephemeral' -%}
            {%- for relation in eiderdown.upstream_relations(read) if relation not in relations -%}
                {%- do relations.append(relation) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(relations) }}
{% endmacro %}


{#
    A compiled node's definition, {sql, reads}, as ml/meaning/definition.py has it. states: recorded_states() of what it reads. A
    source stands under its name, wherever its files lie; a feature view is a leaf, since a version keeps its meaning.
    `eiderdown diff` makes the same from the manifest (ml/project.py).
#}
{% macro definition(node, states) %}
    {%- set home = eiderdown.home() ~ '/' -%}
    {%- set facts = eiderdown.windows_facts(node.compiled_code) -%}
    {%- set made = {'sql': facts.meaning if facts else node.compiled_code, 'reads': {}} -%}
    {%- for id in node.depends_on.nodes or [] -%}
        {%- if id in graph.sources -%}
            {%- set source = graph.sources[id] -%}
            {%- set name = source.source_name ~ '.' ~ source.name -%}
            {%- do made.update({
                'sql': made.sql.replace(source.relation_name, '"' ~ source.source_name ~ '"."' ~ source.name ~ '"')
            }) -%}
            {%- do made.reads.update({name: {
                'fingerprint': source.relation_name.replace(home, ''),
                'columns': eiderdown.declared_types(source),
            }}) -%}
        {%- else -%}
            {%- set read = graph.nodes[id] -%}
            {%- set name = read.schema ~ '.' ~ read.alias -%}
            {%- set state = states[name] -%}
            {%- if read.config.materialized == 'ephemeral' -%}
                {#- Its SQL stands in this one as a CTE, and reads what it reads. #}
                {%- do made.reads.update(eiderdown.definition(dict(read, compiled_code=''), states).reads) -%}
            {%- elif state.recorded.definition and read.config.materialized != 'feature_view' -%}
                {%- do made.reads.update({name: state.recorded.definition}) -%}
            {%- elif state.recorded.fingerprint -%}
                {%- do made.reads.update({name: {
                    'fingerprint': state.recorded.fingerprint,
                    'columns': eiderdown.declared_types(read) or state.columns,
                }}) -%}
            {%- else -%}
                {#- A Python model, a seed, a model without the hook: its file, and what that reads. #}
                {%- do made.reads.update({name: {
                    'fingerprint': read.checksum.checksum,
                    'columns': eiderdown.declared_types(read) or state.columns,
                    'reads': eiderdown.definition(dict(read, compiled_code=''), states).reads,
                }}) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set inputs = ((node.config.meta or {}).get('feature_view') or {}).get('inputs') -%}
    {%- if inputs -%}
        {#- The request is a source like any other: what comes from it can be followed. #}
        {%- do made.update({'sql': made.sql.replace(eiderdown.request_relation(inputs), '"request"."inputs" as request')}) -%}
        {%- do made.reads.update({'request.inputs': {'fingerprint': 'request', 'columns': inputs}}) -%}
    {%- endif -%}
    {%- do made.update({'sql': made.sql.replace(home, '')}) -%}
    {{ return(made) }}
{% endmacro %}


{# {column: type} of the columns of a node or source that have a data_type in the YAML. #}
{% macro declared_types(node) %}
    {%- set types = {} -%}
    {%- for column in node.columns.values() if column.data_type -%}
        {%- do types.update({column.name: column.data_type}) -%}
    {%- endfor -%}
    {{ return(types) }}
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
