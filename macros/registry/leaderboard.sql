{#
    The estimators of a model's search, the best first: a row for each, with its best trial. Of the search that the model's
    parameters come from (ml/tuning), and no older one.

    trials: what ref() returns for the model's trials.
#}
{% macro leaderboard(trials) -%}
    {{ return(adapter.dispatch('leaderboard', 'eiderdown')(trials)) }}
{%- endmacro %}

{% macro default__leaderboard(trials) -%}
{{ config(materialized='registered', history=false, meta={'leaderboard': {}}) }}
{%- set lower_is_better = ['log_loss', 'brier', 'calibration_error', 'rmse', 'mae', 'pinball', 'mape'] -%}
with current_search as (
    select * from {{ trials }}
    where search in (select search from {{ trials }} where is_best)
),

signed as (
    select *, value * if(metric in ('{{ lower_is_better | join("', '") }}'), -1, 1) as quality
    from current_search
),

by_estimator as (
    select
        model,
        estimator,
        metric,
        max(quality) as quality,
        arg_max(value, quality) as value,
        arg_max(params, quality) as params,
        count(*) as trials,
        count(*) filter (state = 'complete') as complete,
        sum(seconds) as seconds,
        bool_or(is_best) as is_best
    from signed
    group by model, estimator, metric
)

select
    model,
    cast(row_number() over (order by is_best desc, quality desc nulls last, seconds) as integer) as rank,
    * exclude (model, quality)
from by_estimator
{%- endmacro %}
