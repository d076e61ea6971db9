{#
    monitoring.prediction_log: every prediction that a server has logged, once.

    Reads the append-only JSON lines under `events/predictions`; a line that is torn or no event is passed over (and
    counted in monitoring.event_files).
#}
{% macro prediction_log() -%}
    {{ return(adapter.dispatch('prediction_log', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__prediction_log() -%}
select * exclude (filename)
from {{ source('events', 'predictions') }}
where event_id is not null
qualify row_number() over (partition by event_id order by logged_at) = 1
{%- endmacro %}
