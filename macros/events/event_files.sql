{#
    monitoring.event_files: the files of events that are there, of every kind, with what could be read of each.

    A line that is torn (a server was killed, or its disk was full) or no event is in no other table: it is counted here, as
    `torn_count`. A file is counted anew when its size has changed.
#}
{% macro event_files() -%}
    {{ return(adapter.dispatch('event_files', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__event_files() -%}
{{ config(history=false) }}
{%- if not execute -%}
    {%- for kind in eiderdown.event_kinds() %}{% do source('events', kind) %}{% endfor -%}
    {{ return('select 1') }}
{%- endif -%}
{%- set counted = eiderdown.counted_files() -%}
{%- for kind in eiderdown.event_kinds() -%}
{%- set files = eiderdown.event_sizes(kind) -%}
{%- set changed = eiderdown.changed_files(files, counted.get(kind, {})) -%}
{%- for name in counted.get(kind, {}) if name in files and name not in changed -%}
    {%- if loop.first %}
select * from {{ this }} where kind = {{ eiderdown.literal(kind) }} and file in (
    {%- endif %}{{ eiderdown.literal(name) }}{{ ')\nunion all' if loop.last else ', ' }}
{%- endfor %}
select
    {{ eiderdown.literal(kind) }} as kind,
    parse_filename(filename) as file,
    from_json({{ eiderdown.literal(tojson(files)) }}, '"MAP(VARCHAR, BIGINT)"')[parse_filename(filename)] as size_bytes,
    count(*) as line_count,
    count(*) filter (is_event) as event_count,
    count(*) filter (not is_event) as torn_count,
    min(logged_at) filter (is_event) as first_logged_at,
    max(logged_at) filter (is_event) as last_logged_at
from (
    select
        filename,
        {{ 'decided_at' if kind == 'decisions' else 'logged_at' }} as logged_at,
        {{ eiderdown.is_event(kind) }} as is_event
    from {{ eiderdown.event_lines(source('events', kind), kind, changed) }}
)
group by filename
{{ 'union all' if not loop.last }}
{%- endfor %}
{%- endmacro %}


{% macro event_kinds() -%}
    {{ return([
        'predictions', 'feedback', 'pushes', 'decisions', 'acknowledgements', 'retrain', 'builds', 'labels', 'experiments',
    ]) }}
{%- endmacro %}


{# The files that monitoring.event_files counted, {kind: {name: bytes}}; none where the platform wrote another table. #}
{% macro counted_files() -%}
    {%- set counted = {} -%}
    {%- if not should_full_refresh() and 'size_bytes' in (eiderdown.recorded_states([this]).values() | first).columns -%}
        {%- for row in run_query("select kind, file, size_bytes from " ~ this ~ " order by all").rows -%}
            {%- do counted.setdefault(row[0], {}).update({row[1]: row[2] | int}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(counted) }}
{%- endmacro %}
