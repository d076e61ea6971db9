{#
    labels.expert_labels: the labels that experts gave to rows, of every task, as text: a row for each task and row id.

    Of several labels of a row that with the latest labelled_at stands, of equal ones that which was logged last.

    Reads the append-only JSON lines under `events/labels` (ml/labeling/experts.py writes them) that it has not read
    (new_events()); a line that is torn or no label is passed over, and counted in monitoring.event_files.
#}
{% macro expert_labels() -%}
    {{ return(adapter.dispatch('expert_labels', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__expert_labels() -%}
{{ config(materialized='registered', mutable=['label', 'labelled_by', 'labelled_at', 'logged_at', 'event_id']) }}
select task, row_id, label, labelled_by, labelled_at, logged_at, event_id
from (
    select task, row_id, label, labelled_by, labelled_at, logged_at, event_id
    from {{ eiderdown.new_events('labels') }}
    where {{ eiderdown.is_event('labels') }}
    {%- if execute and load_relation(this) is not none %}
    union all
    select task, row_id, label, labelled_by, labelled_at, logged_at, event_id
    from {{ this }}
    {%- endif %}
)
qualify row_number() over (partition by task, row_id order by labelled_at desc, logged_at desc, event_id desc) = 1
{%- endmacro %}
