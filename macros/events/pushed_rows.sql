{#
    monitoring.pushed_rows: every row that was pushed to a feature view, once, with its values as JSON.

    `problem` says why a row is in no view's table: which part of the contract it breaks, or that the project has no such
    view; as it was when the row was read. The rows of views are taken in by the views themselves (pushed_to()).

    Reads the append-only JSON lines under `events/pushes` that it has not read (new_events()).
#}
{% macro pushed_rows() -%}
    {{ return(adapter.dispatch('pushed_rows', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__pushed_rows() -%}
with new_rows as (
    select event_id, logged_at, view, version, row
    from {{ eiderdown.new_events('pushes') }}
    where {{ eiderdown.is_event('pushes') }}
    qualify row_number() over (partition by event_id order by logged_at) = 1
),

checked as (
    {%- if execute %}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and 'feature_view' in (node.config.meta or {}) %}
    {%- set declaration = eiderdown.feature_view_declaration(node) %}
    {%- if declaration.kind == 'stored' %}
    select _event_id, _problem from ({{ eiderdown.pushed_values(node, declaration, 'from new_rows') }})
    union all
    {%- endif %}
    {%- endfor %}
    {%- endif %}
    select null, null where false
)

select
    event_id,
    logged_at,
    view,
    version,
    row,
    if(_event_id is null, 'the project has no such view', _problem) as problem
from new_rows
left join checked on event_id = _event_id
{%- endmacro %}
