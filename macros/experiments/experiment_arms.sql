{#
    experiments.experiment_arms: how each arm of each experiment fares.

    An arm's units, predictions and losses are those for which it was drawn, also where the control had to answer in its place
    (`failures`): so no arm looks better by failing where it is hard. low, high: of mean_loss at 95 %, a unit's predictions together
    (the delta method, clustered by unit). seconds_p50, seconds_p99: what its own scoring took. expected_share, observed_share,
    ratio_p_value: of units (sample_ratio()); is_ratio_ok: no mismatch, p >= 0.001. misdrawn: predictions whose unit belonged to
    another arm by the weights.
#}
{% macro experiment_arms() -%}
    {{ return(adapter.dispatch('experiment_arms', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__experiment_arms() -%}
{{ config(history=false) }}
with predictions as (
    select *, coalesce(instead_of, arm) as drawn
    from {{ ref('experiment_predictions') }}
),

units as (
    select experiment, fingerprint, drawn, unit, sum(loss) as loss, count(loss) as outcomes
    from predictions
    where loss is not null
    group by experiment, fingerprint, drawn, unit
),

losses as (
    select
        experiment,
        fingerprint,
        drawn,
        any_value(mean_loss) as mean_loss,
        if(count(*) > 1, sqrt(sum(pow(loss - mean_loss * outcomes, 2)) * count(*) / (count(*) - 1)) / sum(outcomes), null)
            as error
    from (select *, sum(loss) over arm / sum(outcomes) over arm as mean_loss from units window arm as (
        partition by experiment, fingerprint, drawn
    ))
    group by experiment, fingerprint, drawn
),

counted as (
    select
        experiment,
        fingerprint,
        drawn,
        any_value(endpoint) as endpoint,
        any_value(policy) as policy,
        mode(role) as role,
        list_sort(list_distinct(list(model || '@' || version) filter (instead_of is null and role <> 'ensemble'))) as models,
        count(distinct unit) as units,
        count(distinct request_id) as requests,
        count(*) as predictions,
        count(loss) as outcomes,
        quantile_cont(seconds, [0.5, 0.99]) filter (instead_of is null) as seconds,
        count(*) filter (instead_of is not null) as failures,
        count(*) filter (not is_drawn_as_declared) as misdrawn,
        min(logged_at) as first_at,
        max(logged_at) as latest_at
    from predictions
    group by experiment, fingerprint, drawn
),

ratios as (
    {{ eiderdown.sample_ratio('predictions') }}
),

facts as (
    select
        experiment,
        fingerprint,
        any_value(endpoint) as endpoint,
        any_value(policy) as policy
    from counted
    group by experiment, fingerprint
)

select
    experiment,
    fingerprint,
    arm,
    facts.endpoint,
    facts.policy,
    counted.role,
    arm = 'control' as is_control,
    coalesce(counted.models, []) as models,
    coalesce(counted.units, 0) as units,
    coalesce(counted.requests, 0) as requests,
    coalesce(counted.predictions, 0) as predictions,
    coalesce(counted.outcomes, 0) as outcomes,
    losses.mean_loss,
    losses.mean_loss - 1.959963984540054 * losses.error as low,
    losses.mean_loss + 1.959963984540054 * losses.error as high,
    counted.seconds[1] as seconds_p50,
    counted.seconds[2] as seconds_p99,
    coalesce(counted.failures, 0) as failures,
    coalesce(counted.misdrawn, 0) as misdrawn,
    ratios.expected_share,
    ratios.observed_share,
    max(ratios.ratio_p_value) over (partition by experiment, fingerprint) as ratio_p_value,
    max(ratios.ratio_p_value) over (partition by experiment, fingerprint) >= 0.001 as is_ratio_ok,
    counted.first_at,
    counted.latest_at
from (select * rename (drawn as arm) from counted) as counted
{#- An arm that nobody got is a row as well. #}
full join ratios using (experiment, fingerprint, arm)
inner join facts using (experiment, fingerprint)
left join (select * rename (drawn as arm) from losses) as losses using (experiment, fingerprint, arm)
{%- endmacro %}
