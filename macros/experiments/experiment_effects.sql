{#
    experiments.experiment_effects: each arm of each experiment against the control: by how much its mean loss is greater
    (`difference`, so below zero is better), of the predictions of which the outcome is known.

    Where an arm is drawn, predictions are compared within the same shares of the traffic, and the differences weighted by
    n1 * n2 / (n1 + n2) (Mantel and Haenszel 1959), as the canary does: an arm that gets more traffic in worse times looks no worse for it.
    Bandits' shares are rounded to hundredths. Where all arms score (shadow, ensembles), the same predictions are compared (is_paired).

    low, high, p_value: at 95 %, by the delta method, the predictions of a unit together (Deng, Knoblich and Lu 2018); for one look at the
    end. always_low, always_high: the interval that holds at all looks together (ml/experiments/sequential.py), wider by the
    design effect (Kish 1965) where a unit has several predictions; null where losses have no bound (a regression without
    loss_scale). is_better, is_worse: this interval, or low and high where there is none, is on one side of zero.
#}
{% macro experiment_effects() -%}
    {{ return(adapter.dispatch('experiment_effects', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__experiment_effects() -%}
{{ config(history=false) }}
{%- set same = 'experiment, fingerprint, arm' -%}
with predictions as (
    select
        *,
        coalesce(instead_of, arm) as drawn,
        coalesce(loss_scale is not null or loss_kind not in ('absolute', 'squared'), false) as is_bounded
    from {{ ref('experiment_predictions') }}
    where loss is not null and policy is not null
),

{{ eiderdown.compared_losses() }},

strata as (
    select
        {{ same }},
        stratum,
        count(*) filter (is_control) as n1,
        count(*) filter (not is_control) as n2,
        avg(loss) filter (is_control) as mean1,
        avg(loss) filter (not is_control) as mean2,
        var_pop(loss) filter (is_control) * n1 as spread1,
        var_pop(loss) filter (not is_control) * n2 as spread2
    from compared
    group by {{ same }}, stratum
    having count(*) filter (is_control) > 0 and count(*) filter (not is_control) > 0
),

effects as (
    select
        {{ same }},
        count(*) as strata,
        sum(n1 * n2 / (n1 + n2)) as total,
        sum(n1 * n2 / (n1 + n2) * (mean2 - mean1)) / total as difference,
        sum(n1 * mean1) / sum(n1) as control_mean_loss,
        sum(n2 * mean2) / sum(n2) as mean_loss,
        sum(n1) as control_outcomes,
        sum(n2) as outcomes,
        max(greatest(n1, n2) / (n1 + n2)) / total as movement,
        (
            (sum(spread1) + 1) / sum(n1) * sum(n1 * pow(n2 / (n1 + n2), 2))
            + (sum(spread2) + 1) / sum(n2) * sum(n2 * pow(n1 / (n1 + n2), 2))
        ) / pow(total, 2) as variance
    from strata
    group by {{ same }}
),

-- By how much each prediction moves the difference.
moves as (
    select
        compared.*,
        if(is_control, -strata.n2, strata.n1) / (strata.n1 + strata.n2) / effects.total
            * (loss - if(is_control, strata.mean1, strata.mean2)) as move,
        effects.strata
    from compared
    inner join strata using ({{ same }}, stratum)
    inner join effects using ({{ same }})
),

sides as (
    select {{ same }}, is_control, count(distinct unit) as units, sqrt(units / nullif(greatest(units - any_value(strata), 0), 0)) as correction
    from moves
    group by {{ same }}, is_control
),

rows_moves as (
    select {{ same }}, any_value(unit) as unit, sum(move) as move, sum(move * correction) as corrected
    from moves
    inner join sides using ({{ same }}, is_control)
    group by {{ same }}, request_id, place, if(is_paired, null, is_control)
),

errors as (
    select
        {{ same }},
        sqrt(sum(pow(corrected, 2))) as error,
        sum(rows_variance) as rows_variance,
        sum(pow(move, 2)) as units_variance
    from (
        select {{ same }}, unit, sum(move) as move, sum(corrected) as corrected, sum(pow(move, 2)) as rows_variance
        from rows_moves
        group by {{ same }}, unit
    )
    group by {{ same }}
),

facts as (
    select
        {{ same }},
        any_value(policy) as policy,
        bool_or(is_paired) as is_paired,
        bool_and(is_bounded) as is_bounded,
        count(distinct unit) as units
    from compared
    group by {{ same }}
),

ends as (
    select
        *,
        if(is_paired, rows_variance + 1 / pow(outcomes, 2), variance)
            * greatest(1, coalesce(units_variance / nullif(rows_variance, 0), 1)) as sure_variance,
        if(is_paired, 1 / outcomes, movement) as sure_movement
    from effects
    inner join errors using ({{ same }})
    inner join facts using ({{ same }})
)

select
    {{ same }},
    policy,
    is_paired,
    units,
    cast(outcomes as bigint) as outcomes,
    cast(control_outcomes as bigint) as control_outcomes,
    mean_loss,
    control_mean_loss,
    difference,
    difference - 1.959963984540054 * error as low,
    difference + 1.959963984540054 * error as high,
    if(error > 0, chi2_p_value(pow(difference / error, 2), 1), null) as p_value,
    if(is_bounded, difference - {{ eiderdown.radius_at_all_looks('sure_variance', 'sure_movement') }}, null) as always_low,
    if(is_bounded, difference + {{ eiderdown.radius_at_all_looks('sure_variance', 'sure_movement') }}, null) as always_high,
    coalesce(always_high, high, 0) < 0 as is_better,
    coalesce(always_low, low, 0) > 0 as is_worse
from ends
{%- endmacro %}


{#
    The CTE `compared`, of `predictions`: a row for each prediction of an arm and of the control that it is compared with:
    experiment, fingerprint, arm, policy, is_control, is_paired, is_bounded, stratum, unit, request_id, place, loss.
#}
{% macro compared_losses() -%}
{%- set columns = 'fingerprint, policy, unit, request_id, place, loss, is_bounded' -%}
others as (
    select distinct experiment, fingerprint, drawn as arm
    from predictions
    where drawn <> 'control'
),

controls as (
    select *
    from predictions
    where drawn = 'control'
),

compared as (
    select
        experiment,
        {{ columns }},
        arm,
        drawn = 'control' as is_control,
        false as is_paired,
        coalesce(
            round(weights[arm] / (weights[arm] + weights['control']), if(policy in ('thompson', 'exp3'), 2, 9)), -1
        ) as stratum
    from (
        select predictions.* exclude (arm), others.arm
        from predictions
        inner join others
            on predictions.fingerprint = others.fingerprint
            and predictions.experiment = others.experiment
            and (predictions.drawn = others.arm or predictions.drawn = 'control')
        where predictions.policy in ({{ eiderdown.randomised_policies() }})
    )
    union all by name
    select
        experiment,
        {{ columns | replace('loss,', 'pair.loss,') }},
        drawn as arm,
        pair.is_control,
        true as is_paired,
        0 as stratum
    from (
        select
            predictions.* exclude (loss),
            unnest([
                {'is_control': true, 'loss': controls.loss},
                {'is_control': false, 'loss': predictions.loss}
            ]) as pair
        from predictions
        inner join controls using (experiment, fingerprint, request_id, place)
        where predictions.drawn <> 'control' and predictions.policy not in ({{ eiderdown.randomised_policies() }})
    )
)
{%- endmacro %}
