{#
    What is monitored, and how: config.meta.monitor of a dbt model.

        monitor:
          at: predicted_at        # the column that places a row in time; of a feature view its event_at, of a dataset its `at`
          every: month            # hour, day, week or month: the window
          slices: [origin]        # columns whose values are watched on their own
          except: [flight]        # columns that are not watched, such as identifiers
          model: flight_delay     # of predictions that were served: the model that made them
          metrics: {auc: {max_loss: 0.02}}  # with `model`: which of its metrics are judged (judged_metrics())
          compare:
            reference: {from: "2013-01-01", to: "2013-04-01"}   # with these rows of its own, that never change
            previous: true                                      # with the window before
            training: true                                      # with what the model learned from; needs `model`

    Returns {relation (schema.table), at, every, slices, columns: {name: type}, model, compare: {name: true or {from, to}}}. `columns`
    are those to watch, in the order of the table: neither the key and times of a view or dataset nor `except`. Its types are
    those of the YAML or, where that has none, of the table as it stands.
#}
{% macro monitored(node) %}
    {%- set meta = node.config.meta or {} -%}
    {%- set declared = meta.monitor -%}
    {%- set name = node.schema ~ '.' ~ node.alias -%}
    {%- set where = name ~ ": config.meta.monitor" -%}
    {%- set at = declared.at or (meta.feature_view or {}).event_at or (meta.dataset or {}).at -%}
    {%- if not at -%}
        {{ exceptions.raise_compiler_error(where ~ " lacks 'at', the column that places a row in time; add it") }}
    {%- endif -%}
    {%- do eiderdown.refuse_unknown_fields(where, declared, ['at', 'every', 'slices', 'except', 'model', 'metrics', 'compare']) -%}
    {%- set every = declared.every or 'week' -%}
    {%- if every not in ['hour', 'day', 'week', 'month'] -%}
        {{ exceptions.raise_compiler_error(where ~ ".every is '" ~ every ~ "'; it must be hour, day, week or month") }}
    {%- endif -%}
    {%- set compare = declared.compare or ({'training': true} if declared.model else {}) -%}
    {%- do eiderdown.refuse_unknown_fields(where ~ ".compare", compare, ['reference', 'previous', 'training']) -%}
    {%- if compare.training and not declared.model -%}
        {{ exceptions.raise_compiler_error(where ~ ".compare.training needs `model`, the one whose training rows are meant") }}
    {%- endif -%}
    {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
    {%- set types = eiderdown.declared_types(node) or eiderdown.recorded_states([relation])[name].columns -%}
    {%- set left_out = [at] + (declared.get('except') or []) + eiderdown.unwatched(meta) -%}
    {%- set columns = {} -%}
    {%- for column, type in types.items() if column not in left_out -%}
        {%- do columns.update({column: type}) -%}
    {%- endfor -%}
    {%- for column in [at] + (declared.slices or []) + (declared.get('except') or []) if types and column not in types -%}
        {{ exceptions.raise_compiler_error(
            where ~ ": there is no column '" ~ column ~ "' in " ~ name ~ "; its columns are " ~ types.keys() | join(', ')
        ) }}
    {%- endfor -%}
    {{ return({
        'relation': name,
        'at': at,
        'every': every,
        'slices': declared.slices or [],
        'columns': columns,
        'model': declared.model,
        'compare': compare,
    }) }}
{% endmacro %}


{# The columns of a view, a dataset or a log of predictions that say which row it is and when, not what it is like. #}
{% macro unwatched(meta) %}
    {%- set names = [] -%}
    {%- if 'feature_view' in meta -%}
        {%- do names.extend(meta.feature_view.entity + [meta.feature_view.event_at, meta.feature_view.known_at]) -%}
    {%- endif -%}
    {%- if 'dataset' in meta -%}{%- do names.extend([meta.dataset.row_id, meta.dataset.at]) -%}{%- endif -%}
    {%- if (meta.monitor or {}).model -%}
        {%- do names.extend(['event_id', 'request_id', 'logged_at', 'predicted_at', 'version', 'release']) -%}
    {%- endif -%}
    {{ return(names) }}
{% endmacro %}


{# The nodes with config.meta.monitor, in the order of their relations' names. #}
{% macro monitored_nodes() %}
    {%- set nodes = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and 'monitor' in (node.config.meta or {}) -%}
        {%- do nodes.append(node) -%}
    {%- endfor -%}
    {{ return(nodes | sort(attribute='relation_name')) }}
{% endmacro %}


{# The begin of the window that a moment lies in, UTC. every: 'hour', 'day', 'week' (from Monday) or 'month'. #}
{% macro window_of(at, every) -%}
    (date_trunc('{{ every }}', {{ at }} at time zone 'UTC') at time zone 'UTC')
{%- endmacro %}


{# The end of the window that begins at a moment. #}
{% macro window_end(window_at, every) -%}
    (({{ window_at }} at time zone 'UTC' + interval 1 {{ every }}) at time zone 'UTC')
{%- endmacro %}


{# Stop where a mapping has a field that is not known. #}
{% macro refuse_unknown_fields(where, declared, known) %}
    {%- for field in declared if field not in known -%}
        {{ exceptions.raise_compiler_error(
            where ~ " has the unknown field '" ~ field ~ "'; its fields are " ~ known | join(', ')
        ) }}
    {%- endfor -%}
{% endmacro %}
