{#
    A table of the platform: rows are added by primary key and kept for good, also under --full-refresh.

    SQL and Python models alike: types, primary key, not null and check hold, from the YAML columns or, where those name
    no data types, from the platform's own contract (see platform_contracts()). A row whose primary key is there already
    is left as it is, but for the columns that `mutable: [...]` in the config names. `history: false` replaces the rows
    instead, in one transaction.

    A column `invocation_id` of the contract is filled in here.

    A Python model returns a DuckDB relation (`session.from_arrow(table)`), which is put in a temporary table first.
#}
{% materialization registered, adapter = 'duckdb', supported_languages = ['sql', 'python'] %}
    {%- set contract = eiderdown.table_contract(graph.nodes[model.unique_id]) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set keep = config.get('history', true) -%}

    {{ run_hooks(pre_hooks) }}
    {%- set rows = '_rows_of_' ~ this.identifier -%}
    {%- if model.language == 'python' -%}
        {%- if 'trials' in (config.get('meta') or {}) -%}{%- do eiderdown.keep_declaration(config.get('meta').trials.model) -%}{%- endif -%}
        {% call statement('python', language='python') -%}
{{ compiled_code }}

def materialize(relation, session):
    from ml.contracts.check import hold_rows
    hold_rows(session, relation, {{ tojson(rows) }}, {{ tojson(contract.name) }})
        {%- endcall %}
    {%- else -%}
        {% call statement('sql', auto_begin=False) -%}
            create or replace temporary table {{ rows }} as {{ compiled_code }}
        {%- endcall %}
    {%- endif -%}
    {%- set kept = [this] if keep and load_cached_relation(this) is not none else [] -%}
    {%- if kept -%}{%- do eiderdown.widen(this, contract) -%}{%- endif -%}
    {%- do eiderdown.refuse_other_columns(contract, [rows] + kept) -%}

    {% call statement('main') -%}
        {%- if keep %}
        create table if not exists {{ this }} ({{ contract.ddl }});
        {%- else %}
        create or replace table {{ this }} ({{ contract.ddl }});
        {%- endif %}
        {%- if keep and config.get('mutable') %}
        update {{ this }} as kept
        set {% for column in config.get('mutable') %}{{ column }} = new_rows.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
        from {{ rows }} as new_rows
        where {% for column in contract.primary_key %}kept.{{ column }} = new_rows.{{ column }} and {% endfor %}
            ({% for column in config.get('mutable') -%}
            kept.{{ column }} is distinct from new_rows.{{ column }}{{ ' or ' if not loop.last }}
            {%- endfor %});
        {%- endif %}
        insert into {{ this }} ({{ contract.columns.keys() | join(', ') }})
        select
            {%- for column in contract.columns %}
            {{ eiderdown.literal(invocation_id) ~ ' as ' if column == 'invocation_id' }}{{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ rows }} as new_rows
        {%- if keep %}
        anti join {{ this }} as kept using ({{ contract.primary_key | join(', ') }})
        {%- endif %};
        drop table {{ rows }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{#
    Bring a table of an earlier version of the platform to the contract, as far as that loses nothing: a column that may be null
    is added, or may be null from here on.
#}
{% macro widen(relation, contract) %}
    {%- set known = {} -%}
    {%- for row in run_query(
        "select column_name, is_nullable from duckdb_columns() where database_name = current_database() and schema_name = "
        ~ eiderdown.literal(relation.schema) ~ " and table_name = " ~ eiderdown.literal(relation.identifier)
    ).rows -%}
        {%- do known.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {%- for column in contract.nullable -%}
        {%- set name = column | replace('"', '') -%}
        {%- if name not in known -%}
            {%- do run_query("alter table " ~ relation ~ " add column " ~ column ~ " " ~ contract.columns[column]) -%}
        {%- elif not known[name] -%}
            {%- do run_query("alter table " ~ relation ~ " alter column " ~ column ~ " drop not null") -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#
    Stop with a list of what differs where the columns and types of relations are not those of the contract. The first
    relation holds the new rows, which need no invocation_id.
#}
{% macro refuse_other_columns(contract, relations) %}
    {#- The types as DuckDB names them (`timestamptz` is TIMESTAMP WITH TIME ZONE), and all by one query: it runs often. #}
    {%- set described -%}
        select 'contract' as relation, column_name, column_type
        from (describe select {% for name, type in contract.columns.items() -%}
            cast(null as {{ type }}) as {{ name }}{{ ', ' if not loop.last }}
        {%- endfor %})
        {%- for relation in relations %}
        union all
        select '{{ loop.index0 }}', column_name, column_type from (describe {{ relation }})
        {%- endfor %}
    {%- endset -%}
    {%- set found = {} -%}
    {%- for row in run_query(described).rows -%}
        {%- do found.setdefault(row[0], {}).update({row[1]: row[2]}) -%}
    {%- endfor -%}
    {%- for relation in relations -%}
        {%- set columns = found[loop.index0 | string] -%}
        {%- set wrong = [] -%}
        {%- set outer = loop -%}
        {%- for name, type in found.contract.items() if not (outer.first and name == 'invocation_id') -%}
            {%- if name not in columns -%}
                {%- do wrong.append(name ~ ": missing, the contract has " ~ type) -%}
            {%- elif columns[name] != type -%}
                {%- do wrong.append(name ~ ": is " ~ columns[name] ~ ", the contract has " ~ type) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- for name in columns if name not in found.contract -%}
            {%- do wrong.append(name ~ ": not in the contract") -%}
        {%- endfor -%}
        {%- if wrong -%}
            {{ exceptions.raise_compiler_error(
                contract.name ~ ": " ~ relation ~ " does not keep the contract. " ~ wrong | join('; ')
                ~ ". Mend the model or the contract; no row was written."
            ) }}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{# The contract of a registered table: {name, columns: {name: type}, nullable: [name], ddl, primary_key}; `nullable` of the platform's own. #}
{% macro table_contract(node) %}
    {%- set name = node.schema ~ '.' ~ node.alias -%}
    {%- set typed = node.columns.values() | selectattr('data_type') | list -%}
    {%- if typed -%}
        {%- set lines = adapter.render_raw_columns_constraints(raw_columns=node.columns) -%}
        {%- set constraints = adapter.render_raw_model_constraints(raw_constraints=node.constraints) -%}
        {%- set contract = {
            'ddl': (lines + constraints) | join(', '),
            'primary_key': eiderdown.primary_key(node),
            'nullable': [],
        } -%}
        {%- set declared = typed | map(attribute='name') | list -%}
        {%- set types = typed | map(attribute='data_type') | list -%}
    {%- else -%}
        {%- set contract = eiderdown.platform_contract(node) -%}
        {%- set declared = contract.declared.keys() | list -%}
        {%- set types = contract.declared.values() | list -%}
    {%- endif -%}
    {%- if not contract.primary_key -%}
        {{ exceptions.raise_compiler_error(name ~ ": a registered table needs a primary key; declare one in its YAML") }}
    {%- endif -%}
    {%- set columns = {} -%}
    {%- for type in types -%}
        {%- do columns.update({declared[loop.index0]: type}) -%}
    {%- endfor -%}
    {{ return({
        'name': name,
        'columns': columns,
        'nullable': contract.nullable,
        'ddl': contract.ddl,
        'primary_key': contract.primary_key,
    }) }}
{% endmacro %}
