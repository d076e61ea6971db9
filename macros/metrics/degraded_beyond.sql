{#
    The value beyond which a metric is worse than the reference, an expression: worse by more than what is allowed, and by more than
    both are uncertain. By the half-widths of the 95 % intervals, as of two independent estimates, a metric that is no
    worse lies beyond it in 2.5 of 100 windows even where no loss is allowed (simulated: 1.2 to 4 of 100, for each metric of
    binary_metrics() and windows of 100 to 1000 rows).

    metric: an expression. measured, reference: aliases of rows with value, low and high. allowed: of a row with max_loss and
    max_relative_loss, of which one is null; null where nothing is judged.
#}
{% macro degraded_beyond(metric, measured, reference, allowed) -%}
    {{ return(adapter.dispatch('degraded_beyond', 'eiderdown')(metric, measured, reference, allowed)) }}
{%- endmacro %}

{% macro default__degraded_beyond(metric, measured, reference, allowed) -%}
    {{ reference }}.value + if({{ metric }} in ({{ eiderdown.lower_is_better() }}), 1, -1) * (
        coalesce({{ allowed }}.max_loss, {{ allowed }}.max_relative_loss * abs({{ reference }}.value))
        + if(
            {{ metric }} in ({{ eiderdown.lower_is_better() }}),
            sqrt(pow({{ measured }}.value - {{ measured }}.low, 2) + pow({{ reference }}.high - {{ reference }}.value, 2)),
            sqrt(pow({{ measured }}.high - {{ measured }}.value, 2) + pow({{ reference }}.value - {{ reference }}.low, 2))
        )
    )
{%- endmacro %}
