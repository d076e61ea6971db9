{#
    Features that the server took and the warehouse does not give, or the other way round: on monitoring.serving_consistency.

    after: ref() of a model that is to be built though this fails, such as the alerts: dbt build skips only what comes after all
    that a test refs.
#}
{% test no_skew(model, after=none) %}
    {#- {{ after }} #}
    select *
    from {{ model }}
    where mismatch_count + missing_count + extra_count > 0
{% endtest %}
