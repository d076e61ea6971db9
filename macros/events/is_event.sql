{#
    Whether a line of a source of events is one, as a SQL condition, never null: it was read whole, and has all that the
    tables need. The lines for which it is false are counted in monitoring.event_files, and are in no other table.

    kind: 'predictions', 'feedback', 'pushes', 'decisions', 'acknowledgements', 'retrain', 'builds', 'labels' or 'experiments'.
#}
{% macro is_event(kind) -%}
    {{ return(adapter.dispatch('is_event', 'eiderdown')(kind)) }}
{%- endmacro %}

{% macro default__is_event(kind) -%}
    {%- if kind == 'predictions' -%}
        coalesce(
            request_id is not null
            and logged_at is not null
            and model is not null
            and version is not null
            and release is not null
            and len(predicted_at) = list_count(predicted_at)
            and len(instances) = len(predicted_at)
            and list_bool_and(list_transform(instances, lambda entry: coalesce(len(entry) = len(fields), false)))
            and len(features) = len(predicted_at)
            and list_bool_and(list_transform(features, lambda entry: coalesce(len(entry) = len(names), false)))
            and list_count(fields) = len(fields)
            and list_count(names) = len(names)
            and (len(score) = len(predicted_at) or len(probabilities) = len(predicted_at))
            and coalesce(len(score), len(predicted_at)) = len(predicted_at)
            and coalesce(len(missing), len(predicted_at)) = len(predicted_at)
            and coalesce(len(label), len(predicted_at)) = len(predicted_at)
            and coalesce(len(class), len(predicted_at)) = len(predicted_at)
            and (
                probabilities is null
                or (
                    list_count(list_distinct(classes)) = len(classes)
                    and list_bool_and(list_transform(probabilities, lambda entry: coalesce(len(entry) = len(classes), false)))
                )
            )
            and (
                places is null
                or (
                    list_count(list_distinct(try_cast(places as integer[]))) = len(predicted_at)
                    and json_array_length(places) = len(predicted_at)
                    and list_min(try_cast(places as integer[])) >= 0
                )
            )
            and (assignment is null or {{ eiderdown.is_assignment() }}),
            false
        )
    {%- elif kind == 'feedback' -%}
        coalesce(
            event_id is not null
            and logged_at is not null
            and model is not null
            and request_id is not null
            and instance >= 0
            and outcome is not null
            and json_type(outcome) not in ('NULL', 'OBJECT', 'ARRAY')
            and observed_at is not null,
            false
        )
    {%- elif kind == 'pushes' -%}
        coalesce(
            event_id is not null
            and logged_at is not null
            and view is not null
            and version > 0
            and json_type(row) = 'OBJECT',
            false
        )
    {%- elif kind == 'decisions' -%}
        coalesce(
            event_id is not null
            and decided_at is not null
            and decided_by is not null
            and model is not null
            and version > 0
            and kind in ('promote', 'rollback', 'import', 'describe')
            and ((alias is not null and reason is not null) or kind = 'describe'),
            false
        )
    {%- elif kind == 'acknowledgements' -%}
        coalesce(event_id is not null and logged_at is not null and alert is not null and acknowledged_by is not null, false)
    {%- elif kind == 'retrain' -%}
        coalesce(
            event_id is not null
            and logged_at is not null
            and model is not null
            and version > 0
            and reason is not null
            and decided_by is not null,
            false
        )
    {%- elif kind == 'builds' -%}
        coalesce(event_id is not null and logged_at is not null and is_success is not null and text is not null, false)
    {%- elif kind == 'labels' -%}
        coalesce(
            event_id is not null
            and logged_at is not null
            and task is not null
            and row_id is not null
            and label is not null
            and labelled_by is not null
            and labelled_at is not null,
            false
        )
    {%- elif kind == 'experiments' -%}
        coalesce(
            event_id is not null
            and logged_at is not null
            and experiment is not null
            and fingerprint is not null
            and endpoint is not null
            and policy is not null
            and status in ('running', 'stopped', 'full')
            and cardinality(weights) > 0
            and list_count(map_values(weights)) = cardinality(weights),
            false
        )
    {%- endif -%}
{%- endmacro %}


{# Whether what a line of predictions says of its place in an experiment is whole. #}
{% macro is_assignment() -%}
    (
        assignment.experiment is not null
        and assignment.fingerprint is not null
        and assignment.endpoint is not null
        and (assignment.arm is not null or assignment.role = 'ensemble')
        and assignment.role in ('answer', 'member', 'ensemble', 'shadow')
        and (units is null or len(try_cast(units as varchar[])) = len(predicted_at))
        and (probability is null or (try_cast(probability as double) > 0 and try_cast(probability as double) <= 1))
        and (seconds is null or try_cast(seconds as double) >= 0)
    )
{%- endmacro %}
