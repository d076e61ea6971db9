{#
    The arm that a unit gets, as the server draws it (ml/experiments/assignment.py): the first 8 bytes of
    md5('<fingerprint>:<unit>'), or of the request's identifier where it is the unit, as a share of 2^64, held against the weights
    added up in the order of the arms, the control last.

    fingerprint, unit, request_id: columns. weights: a map with the control first, then the others by name; they add up to 1. Null where it is null.
#}
{% macro drawn_arm(fingerprint='fingerprint', unit='unit', weights='weights', request_id='request_id') -%}
    {{ return(adapter.dispatch('drawn_arm', 'eiderdown')(fingerprint, unit, weights, request_id)) }}
{%- endmacro %}

{% macro default__drawn_arm(fingerprint, unit, weights, request_id) -%}
(map_keys({{ weights }})[2:] || map_keys({{ weights }})[:1])[
    1 + len(list_filter(
        range(2, len(map_keys({{ weights }})) + 1),
        lambda place: list_sum(map_values({{ weights }})[2:place])
            <= least(cast(
                '0x' || left(if({{ unit }} = {{ request_id }}, {{ unit }}, md5({{ fingerprint }} || ':' || {{ unit }})), 16)
                as ubigint
            ) / pow(2, 64), 1 - pow(2, -53))
    ))
]
{%- endmacro %}
