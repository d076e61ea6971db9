{#
    Rows that were pushed to a feature view (POST /push/{view}): they stand in the view's table beside those of its SQL, so that
    training, batch and release see them. Where both have a row of one key, that of the SQL stays.
#}


{#
    The select statement of the rows that belong in the table of the view that is running, under its contract; none where
    nothing was pushed.

    declaration: of the view. as_of: where the clock stands, in microseconds, or none. What became known later waits: a table
    holds what was known at one time. Of one key the row that was logged first stays.

    They are in monitoring.pushed_rows and, until that has read them, in the files of events: the view reads both, and does
    not ref the table, since a project may build its features alone.
#}
{% macro pushed_to(declaration, as_of) %}
    {%- set events = eiderdown.pushed_events() -%}
    {%- if not events -%}{{ return(none) }}{%- endif -%}
    {%- set names = model.columns.keys() | join(', ') -%}
    {%- set key = declaration.entity + [declaration.event_at, declaration.known_at] -%}
    {%- set select -%}
        select {{ names }}
        from ({{ eiderdown.pushed_values(model, declaration, events) }})
        where _problem is null
            {%- if as_of is not none %} and epoch_us({{ declaration.known_at }}) <= {{ as_of }}{% endif %}
        qualify row_number() over (partition by {{ key | join(', ') }} order by _logged_at, _event_id) = 1
    {%- endset -%}
    {{ return(select) }}
{% endmacro %}


{# The select statement of all pushes, {event_id, logged_at, view, version, row}; none where there are none. #}
{% macro pushed_events() %}
    {%- set log = adapter.get_relation(this.database, 'monitoring', 'pushed_rows') -%}
    {%- set columns = 'event_id, logged_at, view, version, row' -%}
    {#- The comment before the rows: what the table reads meanwhile is then in both, not in neither. #}
    {%- set read = eiderdown.files_read(log) if log else {} -%}
    {%- set changed = eiderdown.changed_files(eiderdown.event_sizes('pushes'), read) -%}
    {%- set sources = [] -%}
    {%- if log and run_query("select exists(from " ~ log ~ ")").rows[0][0] -%}
        {%- do sources.append("select " ~ columns ~ " from " ~ log) -%}
    {%- endif -%}
    {%- if changed -%}
        {%- for source in graph.sources.values() if source.source_name == 'events' and source.name == 'pushes' -%}
            {%- do sources.append(
                "select " ~ columns ~ " from " ~ eiderdown.event_lines(source.relation_name, 'pushes', changed)
                ~ " where " ~ eiderdown.is_event('pushes')
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(sources | join(' union all ') or none) }}
{% endmacro %}


{#
    The select statement of what pushes to a view hold, {_event_id, _logged_at, each column of the contract, _problem}:
    `_problem` says which part of the contract the row breaks, and is null where it keeps it.

    node: the view's. events: a select statement, {event_id, logged_at, view, version, row}.
#}
{% macro pushed_values(node, declaration, events) %}
    {%- set key = declaration.entity + [declaration.event_at, declaration.known_at] -%}
    {%- set not_null = key[:] -%}
    {%- set checks = [] -%}
    {%- for constraint in node.constraints -%}
        {%- do checks.append(constraint.expression) if constraint.type == 'check' -%}
        {%- do not_null.extend(constraint.columns) if constraint.type == 'not_null' -%}
    {%- endfor -%}
    {%- for column in node.columns.values() -%}
        {%- for constraint in column.constraints -%}
            {%- do checks.append(constraint.expression) if constraint.type == 'check' -%}
            {%- do not_null.append(column.name) if constraint.type == 'not_null' -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set values -%}
        select
            *,
            case
                {%- for column in node.columns.values() %}
                {%- set type = column.data_type %}
                when coalesce(json_type(_row -> {{ eiderdown.json_path(column.name) }}), 'NULL') <> 'NULL' and {{ column.name }} is null
                    then {{ eiderdown.literal(column.name ~ ": is no " ~ type) }}
                {%- endfor %}
                {%- for name in not_null | unique %}
                when {{ name }} is null then {{ eiderdown.literal(name ~ ": is null") }}
                {%- endfor %}
                {%- for check in checks %}
                when not coalesce(try(coalesce(({{ check }}), true)), false)
                    then {{ eiderdown.literal("breaks the check " ~ check) }}
                {%- endfor %}
            end as _problem
        from (
            select
                event_id as _event_id,
                logged_at as _logged_at,
                row as _row
                {%- for column in node.columns.values() %},
                {%- set structure = eiderdown.literal(tojson(column.data_type)) %}
                try(json_transform_strict(row -> {{ eiderdown.json_path(column.name) }}, {{ structure }})) as {{ column.name }}
                {%- endfor %}
            from ({{ events }})
            where view = {{ eiderdown.literal(declaration.view) }} and version = {{ declaration.version }}
        )
    {%- endset -%}
    {{ return(values) }}
{% endmacro %}


{# The path of a field of a JSON object. #}
{% macro json_path(name) -%}
    {{ return(eiderdown.literal('$."' ~ name ~ '"')) }}
{%- endmacro %}
