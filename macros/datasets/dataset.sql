{#
    A dataset: a table under an enforced contract whose every state is also kept as Parquet, for good.

    config.meta.dataset: {row_id: flight_id, at: predicted_at, request: [fields that a client sends], labels: [columns that
    say what became of it, so that they are no features], label_source: the one of these that says where a row's label comes
    from}. The table holds the present state; `artifacts/datasets/<dataset>/<fingerprint>.parquet` each state that there was, written aside and
    renamed. registry.datasets gives the states their versions.
#}
{% materialization dataset, adapter = 'duckdb' %}
    {%- set node = graph.nodes[model.unique_id] -%}
    {%- set definition = eiderdown.dataset_definition(node) -%}
    {%- set meaning = eiderdown.fingerprint(definition) -%}
    {#- Views are immutable, so this SQL gives the same features again: for comparing models across definitions. #}
    {%- do definition.update({'sql': compiled_code}) -%}

    {{ run_hooks(pre_hooks) }}
    {%- do adapter.drop_relation(load_cached_relation(this)) if (load_cached_relation(this) or {}).type == 'view' -%}
    {% call statement('main') -%}
        {{ eiderdown.replace_table(this, compiled_code) }}
    {%- endcall %}

    {%- set content = eiderdown.content_hashes(this, definition) -%}
    {%- set fingerprint = local_md5(meaning.fingerprint ~ tojson(content)) -%}
    {%- set artifact = 'artifacts/datasets/' ~ this.identifier ~ '/' ~ fingerprint ~ '.parquet' -%}
    {%- do eiderdown.drop_unregistered_states(this) -%}
    {%- set kept = eiderdown.keep_as_parquet(this, definition.row_id, artifact) -%}
    {% call statement('comment') -%}
        {{ eiderdown.comment_on(this, {
            'fingerprint': meaning.fingerprint,
            'canonical': meaning.canonical,
            'dataset_fingerprint': fingerprint,
            'row_count': content.row_count,
            'label_sources': eiderdown.label_sources(this, definition.label_source),
            'column_hashes': content.column_hashes,
            'definition': definition,
            'artifact': artifact,
            'artifact_sha256': kept,
        }) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}

    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}


{#
    What a dataset is made of, as data: {row_id, at, labels, columns, request, expressions, views}.
    `request` maps each field that a client sends to {type, required}; `views` are the declarations of its stored feature
    views, `expressions` the features of those that are computed from the request.
#}
{% macro dataset_definition(node) %}
    {%- set declared = (node.config.meta or {}).get('dataset') or {} -%}
    {%- for field in ['row_id', 'at', 'request'] -%}
        {%- if field not in declared -%}
            {{ exceptions.raise_compiler_error(
                "dataset " ~ node.name ~ ": config.meta.dataset lacks '" ~ field ~ "'. Write, for example: "
                ~ "meta: {dataset: {row_id: order_id, at: predicted_at, request: [customer_id]}}"
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {%- set labels = declared.get('labels', []) -%}
    {%- for column in [declared.row_id, declared.at] + declared.request + labels -%}
        {%- if column not in node.columns -%}
            {{ exceptions.raise_compiler_error(
                "dataset " ~ node.name ~ ": the column '" ~ column ~ "' of meta.dataset is not in the contract; "
                ~ "declare it under columns"
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {%- if declared.label_source and declared.label_source not in labels -%}
        {{ exceptions.raise_compiler_error(
            "dataset " ~ node.name ~ ": meta.dataset.label_source names '" ~ declared.label_source ~ "', which is not among its "
            ~ "labels, so that it could become a feature; add it to meta.dataset.labels"
        ) }}
    {%- endif -%}
    {%- set columns = eiderdown.data_types(node) -%}
    {%- set types = eiderdown.carried_types("dataset " ~ node.name, columns) -%}
    {%- for field in declared.request if not types[field].is_scalar -%}
        {{ exceptions.raise_compiler_error(
            "dataset " ~ node.name ~ ": the request's field '" ~ field ~ "' is " ~ types[field].type ~ "; a request holds "
            ~ "single values. Make a feature of it in a feature view, or send its parts as fields of their own"
        ) }}
    {%- endfor -%}
    {%- set declarations = eiderdown.views_of(node) -%}
    {%- set views = declarations | selectattr('kind', 'equalto', 'stored') | list -%}
    {%- for view in views -%}
        {%- for key in view.entity if key not in declared.request -%}
            {{ exceptions.raise_compiler_error(
                "dataset " ~ node.name ~ ": the key '" ~ key ~ "' of the feature view " ~ view.view ~ " is not in "
                ~ "meta.dataset.request, so no request could be joined to the view; add it"
            ) }}
        {%- endfor -%}
        {%- set view_types = eiderdown.carried_types("feature view " ~ view.view, view.entity_types) -%}
        {%- for key, type in view.entity_types.items() if types[key].type != view_types[key].type -%}
            {{ exceptions.raise_compiler_error(
                "dataset " ~ node.name ~ ": the key '" ~ key ~ "' is " ~ node.columns[key].data_type ~ " here and " ~ type
                ~ " in the feature view " ~ view.view ~ "; give it one type"
            ) }}
        {%- endfor -%}
    {%- endfor -%}
    {%- set required = {} -%}
    {%- for column in node.columns.values() -%}
        {%- for constraint in column.constraints if constraint.type in ('not_null', 'primary_key') -%}
            {%- do required.update({column.name: true}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set request = {} -%}
    {%- for field in declared.request -%}
        {%- do request.update({field: {'type': columns[field], 'required': field in required}}) -%}
    {%- endfor -%}
    {%- set available = {declared.at: columns[declared.at]} -%}
    {%- for field in declared.request -%}{%- do available.update({field: columns[field]}) -%}{%- endfor -%}
    {%- for view in views -%}{%- do available.update(view.features) -%}{%- endfor -%}
    {%- set expressions = eiderdown.request_features(
        declarations | selectattr('kind', 'equalto', 'request') | list, available
    ) -%}
    {%- set definition = {
        'row_id': declared.row_id,
        'at': declared.at,
        'labels': labels,
        'columns': columns,
        'not_null': required.keys() | list,
        'request': request,
        'expressions': expressions,
        'views': views,
    } -%}
    {#- Only where it is declared, so that the fingerprints of other datasets stay as they are. #}
    {%- if declared.label_source -%}{%- do definition.update({'label_source': declared.label_source}) -%}{%- endif -%}
    {{ return(definition) }}
{% endmacro %}


{# The declarations of the feature views that a dataset's node refs, in the order of its refs. #}
{% macro views_of(node) %}
    {%- set views = [] -%}
    {%- for id in node.depends_on.nodes -%}
        {%- if id in graph.nodes and 'feature_view' in (graph.nodes[id].config.meta or {}) -%}
            {%- do views.append(eiderdown.feature_view_declaration(graph.nodes[id])) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(views) }}
{% endmacro %}


{# {source: rows} by the column that says where a label comes from, 'none' of a null; none where no column says so. #}
{% macro label_sources(relation, column) %}
    {%- if not column -%}{{ return(none) }}{%- endif -%}
    {#- As one text, in which a source of digits stays the text that it is. #}
    {%- set counted = run_query(
        "select cast(to_json(map(list(source order by source), list(row_count order by source))) as varchar) from (select coalesce(cast("
        ~ eiderdown.quoted(column) ~ " as varchar), 'none') as source, count(*) as row_count from " ~ relation ~ " group by all)"
    ).rows[0][0] -%}
    {{ return(fromjson(counted) if counted else {}) }}
{% endmacro %}


{#
    {row_count, column_hashes} of a dataset's table: per column 128 bits that change with any of its values or with the row
    that holds it, and do not depend on the order of rows.
#}
{% macro content_hashes(relation, definition) %}
    {%- set types = eiderdown.carried_types("dataset " ~ relation, definition.columns) -%}
    {%- set query -%}
        select
            count(*)
            {%- for column in definition.columns %}
            {#- hash() takes [] for null and [[1], [2]] for [[1, 2]]; the text of a nested value is its own. #}
            {%- set value = column if types[column].is_scalar else 'cast(' ~ column ~ ' as varchar)' %},
            format(
                '{:x}{:x}',
                bit_xor(hash({{ definition.row_id }}, {{ value }})),
                cast(sum(hash({{ definition.row_id }}, {{ value }}) // 65536) as hugeint)
            )
            {%- endfor %}
        from {{ relation }}
    {%- endset -%}
    {%- set row = run_query(query).rows[0] -%}
    {%- set hashes = {} -%}
    {%- for column in definition.columns -%}
        {%- do hashes.update({column: row[loop.index] | string}) -%}
    {%- endfor -%}
    {{ return({'row_count': row[0] | int, 'column_hashes': hashes}) }}
{% endmacro %}


{# Remove the files of states that a killed run wrote and no version names. A file that is needed is written anew. #}
{% macro drop_unregistered_states(relation) %}
    {%- set registry = adapter.get_relation(relation.database, 'registry', 'datasets') -%}
    {%- if registry -%}
        {%- set folder = eiderdown.home() ~ '/artifacts/datasets/' ~ relation.identifier -%}
        {%- do run_query(
            "select eiderdown_drop_unregistered(" ~ eiderdown.literal(folder) ~ ", " ~ eiderdown.literal(relation)
            ~ ", coalesce(list(artifact), [])) from " ~ registry ~ " where dataset = " ~ eiderdown.literal(relation.identifier)
        ) -%}
    {%- endif -%}
{% endmacro %}


{# Keep a table as Parquet under the home, whole or not at all; a file that is there stays. Returns its SHA-256. #}
{% macro keep_as_parquet(relation, row_id, artifact) %}
    {%- set final = eiderdown.home() ~ '/' ~ artifact -%}
    {%- if run_query("select count(*) from glob(" ~ eiderdown.literal(final) ~ ")").rows[0][0] -%}
        {{ return(run_query("select eiderdown_sha256(" ~ eiderdown.literal(final) ~ ")").rows[0][0]) }}
    {%- endif -%}
    {%- set aside = run_query(
        "select eiderdown_aside(eiderdown_note_unregistered(" ~ eiderdown.literal(final) ~ ", "
        ~ eiderdown.literal(relation) ~ "))"
    ).rows[0][0] -%}
    {%- do run_query(
        "copy (select * from " ~ relation ~ " order by " ~ row_id ~ ") to " ~ eiderdown.literal(aside) ~ " (format parquet)"
    ) -%}
    {{ return(
        run_query(
            "select eiderdown_adopt(" ~ eiderdown.literal(aside) ~ ", " ~ eiderdown.literal(final) ~ ")"
        ).rows[0][0]
    ) }}
{% endmacro %}
