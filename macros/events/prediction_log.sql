{#
    monitoring.prediction_log: every prediction that a server has logged, once: a row for each instance of a request, with
    its values and those of the features as JSON objects.

    Reads the append-only JSON lines under `events/predictions` that it has not read (new_events()); a line that is torn or
    no event is passed over (and counted in monitoring.event_files).
#}
{% macro prediction_log() -%}
    {{ return(adapter.dispatch('prediction_log', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__prediction_log() -%}
with requests as (
    select *
    from {{ eiderdown.new_events('predictions') }}
    where {{ eiderdown.is_event('predictions') }}
),

new_requests as (
    select *
    from requests
    {%- if execute and load_relation(this) is not none %}
    {#- The rows of a request came together, so its first one tells. #}
    anti join {{ this }} as logged on requests.request_id || '-0' = logged.event_id
    {%- endif %}
    qualify row_number() over (partition by request_id order by logged_at) = 1
),

instances as (
    select
        request_id,
        logged_at,
        model,
        version,
        release,
        list_transform(fields, lambda name: to_json(name) || ':') as fields,
        list_transform(names, lambda name: to_json(name) || ':') as names,
        classes,
        unnest(range(len(predicted_at))) as place,
        unnest(predicted_at) as predicted_at,
        unnest(instances) as instance,
        unnest(features) as features,
        unnest(missing) as missing,
        unnest(score) as score,
        unnest(label) as label,
        unnest(probabilities) as probabilities,
        unnest(class) as class
    from new_requests
)

select
    request_id || '-' || place as event_id,
    request_id,
    logged_at,
    model,
    version,
    release,
    predicted_at,
    {{ eiderdown.json_object_of('fields', 'instance') }} as instance,
    {{ eiderdown.json_object_of('names', 'features') }} as features,
    if(coalesce(len(missing), 0) = 0, 'ok', 'incomplete') as status,
    coalesce(missing, []) as missing,
    score,
    label,
    if(probabilities is null, null, map(classes, probabilities)) as probabilities,
    class
from instances
{%- endmacro %}


{# A JSON object of a list of keys, as JSON with the colon behind, and one of JSON values. Four times as fast as of a map. #}
{% macro json_object_of(keys, values) -%}
    cast('{' || array_to_string(
        list_transform(list_zip({{ keys }}, {{ values }}), lambda pair: pair[1] || coalesce(pair[2], 'null')), ','
    ) || '}' as json)
{%- endmacro %}
