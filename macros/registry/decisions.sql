{#
    registry.decisions: every decision by hand about a version of a model, once: promotions, rollbacks, descriptions, and
    versions that were brought over from another environment. They take effect in the release at once; from here they reach
    the registry.

    Reads the events under `events/decisions` (ml/promotion/decision.py says what they hold); a line that is torn or no
    decision is passed over (and counted in monitoring.event_files).
#}
{% macro decisions() -%}
    {{ return(adapter.dispatch('decisions', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__decisions() -%}
select * exclude (filename)
from {{ source('events', 'decisions') }}
where {{ eiderdown.is_event('decisions') }}
qualify row_number() over (partition by event_id order by decided_at) = 1
{%- endmacro %}


{#
    The rows of a registry table that were brought over from another environment.

    record: the column of registry.decisions that holds them; table: the name of the contract. JSON columns are in it as
    text, to the letter.
#}
{% macro brought_over(record, table) -%}
    {%- set types = eiderdown.rendered_contract(eiderdown.platform_contracts()[table]).declared -%}
    {%- set texts = {} -%}
    {%- for column, type in types.items() if column != 'invocation_id' -%}
        {%- do texts.update({column: 'varchar' if type == 'json' else type}) -%}
    {%- endfor -%}
    select {% for column in texts %}cast(row.{{ column }} as {{ types[column] }}) as {{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from (
        select from_json({{ record }}, {{ eiderdown.literal(tojson(texts)) }}) as row
        from {{ ref('decisions') }}
        where {{ record }} is not null
    )
{%- endmacro %}
