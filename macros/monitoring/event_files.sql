{#
    monitoring.event_files: the files of the event log and of decisions, with what could be read of each.

    A line that is torn (a server was killed, or its disk was full) or no event is in no other table: it is counted here.
#}
{% macro event_files() -%}
    {{ return(adapter.dispatch('event_files', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__event_files() -%}
{{ config(history=false) }}
select
    parse_filename(filename) as file,
    count(*) as line_count,
    count(event_id) as event_count,
    count(*) - count(event_id) as torn_count,
    min(logged_at) as first_logged_at,
    max(logged_at) as last_logged_at
from (
    select filename, event_id, logged_at from {{ source('events', 'predictions') }}
    union all
    select filename, event_id, decided_at from {{ source('events', 'decisions') }}
)
group by filename
{%- endmacro %}
