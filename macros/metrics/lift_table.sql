{#
    How much is found by looking at the highest scores first? Rows (by…, bin, row_count, low_score, high_score, positives,
    positive_rate, lift, cumulative_share, gain, cumulative_lift), bin 1 with the highest scores.

    lift: the bin's share of positives by that of the group; gain: the share of all positives in this bin and those above it;
    cumulative_lift: gain by the share of rows looked at. Null where there is no positive.

    relation: a table, or a query in brackets. target: an expression, 1 (or true) where positive; score: any number. bins: how
    many, of as many rows each, except that equal scores share one. by: names of columns. Rows where target or score is null are
    left out.
#}
{% macro lift_table(relation, target, score, bins=10, by=[]) -%}
    {{ return(adapter.dispatch('lift_table', 'eiderdown')(relation, target, score, bins, by)) }}
{%- endmacro %}

{% macro default__lift_table(relation, target, score, bins, by) -%}
{%- set columns = {'score': 'cast(' ~ score ~ ' as double)', 'is_positive': 'cast(' ~ target ~ ' as integer) = 1'} -%}
with {{ eiderdown.strata(relation, columns, by, none) }},

ranked as (
    {{ eiderdown.ranked('stratified', 'stratum') }}
),

binned as (
    select
        stratum,
        more * {{ bins }} // row_count + 1 as bin,
        max(row_count) as all_rows,
        max(positives) as all_positives,
        count(*) as row_count,
        min(score) as low_score,
        max(score) as high_score,
        count(*) filter (is_positive) as positives,
        max(at_least) as rows_so_far,
        max(positives_at_least) as positives_so_far
    from ranked
    group by stratum, bin
)

select
    {%- for name in by %}
    strata.{{ name }},
    {%- endfor %}
    cast(bin as integer) as bin,
    binned.row_count,
    low_score,
    high_score,
    positives,
    positives / binned.row_count as positive_rate,
    positives / binned.row_count / nullif(all_positives / all_rows, 0) as lift,
    rows_so_far / all_rows as cumulative_share,
    positives_so_far / nullif(all_positives, 0) as gain,
    positives_so_far / nullif(all_positives, 0) / (rows_so_far / all_rows) as cumulative_lift
from binned
inner join strata using (stratum)
{%- endmacro %}
