{#
    Does each arm have as many units as its weights say? A query with rows (experiment, fingerprint, arm, expected_share,
    observed_share, ratio_p_value), each unit at its first request.

    predictions: rows of experiments.experiment_predictions, with `drawn`, the arm that was drawn. Pearson's chi-square over the arms,
    where the weights stay. Where they move, what is expected is the sum of the weights by which each unit was drawn, and the statistic
    varies less: it is divided by its mean for as many degrees of freedom (Rao and Scott 1981), which is exact of two arms.
#}
{% macro sample_ratio(predictions) -%}
    {{ return(adapter.dispatch('sample_ratio', 'eiderdown')(predictions)) }}
{%- endmacro %}

{% macro default__sample_ratio(predictions) -%}
select
    experiment,
    fingerprint,
    arm,
    expected / sum(expected) over same as expected_share,
    observed / sum(observed) over same as observed_share,
    chi2_p_value(
        coalesce(
            sum(pow(observed - expected, 2) / nullif(expected, 0)) over same
            * (count(*) filter (expected > 0) over same - 1)
            / nullif(sum(variance / nullif(expected, 0)) over same, 0),
            0
        ),
        cast(count(*) filter (expected > 0) over same - 1 as double)
    ) as ratio_p_value
from (
    select
        experiment,
        fingerprint,
        weight.key as arm,
        sum(weight.value) as expected,
        sum(weight.value * (1 - weight.value)) as variance,
        count(*) filter (weight.key = drawn) as observed
    from (
        select experiment, fingerprint, unit, arg_min(drawn, first) as drawn, unnest(map_entries(arg_min(weights, first))) as weight
        from (
            select *, struct_pack(at := logged_at, place := place, event_id := event_id) as first
            from {{ predictions }}
            where weights is not null and policy in ({{ eiderdown.randomised_policies() }})
        )
        group by experiment, fingerprint, unit
    )
    group by experiment, fingerprint, arm
)
window same as (partition by experiment, fingerprint)
{%- endmacro %}


{# The policies that draw an arm for each unit, as SQL; the others have all arms score. #}
{% macro randomised_policies() -%}
    'ab', 'canary', 'thompson', 'exp3'
{%- endmacro %}
