{#
    Do scores mean what they say? Rows (by…, bin, row_count, low_score, high_score, mean_score, mean_target), a row for each bin
    that has rows, bins from 0 by score.

    relation: a table, or a query in brackets. target: an expression, 0 or 1 (or a boolean), of which the mean is the share of
    positives, or the number that a regression predicts. score: the probability or predicted number. by: names of
    columns. Rows where target or score is null are left out.
    strategy: 'quantile' (bins of about as many rows; equal scores share one) or 'uniform' (bins of one width in [0, 1]), as in
    sklearn.calibration.calibration_curve.
#}
{% macro calibration_table(relation, target, score, bins=10, strategy='quantile', by=[]) -%}
    {{ return(adapter.dispatch('calibration_table', 'eiderdown')(relation, target, score, bins, strategy, by)) }}
{%- endmacro %}

{% macro default__calibration_table(relation, target, score, bins, strategy, by) -%}
{%- set columns = {'score': 'cast(' ~ score ~ ' as double)', 'target': 'cast(' ~ target ~ ' as double)'} -%}
with {{ eiderdown.strata(relation, columns, by, none) }},

placed as (
    select *, count(*) over (partition by stratum order by score desc) as at_least
    from stratified
)

select
    {%- for name in by %}
    strata.{{ name }},
    {%- endfor %}
    binned.* exclude (stratum)
from (
    select
        stratum,
        cast({{ eiderdown.score_bin(bins, strategy) }} as integer) as bin,
        count(*) as row_count,
        min(score) as low_score,
        max(score) as high_score,
        -- In one order, so that the same scores have the same means to the last bit.
        favg(score order by score) as mean_score,
        favg(target order by target) as mean_target
    from placed
    group by stratum, bin
) as binned
inner join strata using (stratum)
{%- endmacro %}
