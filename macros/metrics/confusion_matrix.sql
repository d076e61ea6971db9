{#
    What came and what was predicted: rows (by…, target, predicted, row_count), for each pair of the classes that came or were
    predicted in the group, also where no row has it (sklearn.metrics.confusion_matrix).

    relation: a table, or a query in brackets. target, predicted: expressions of the two classes, of one type; of a map of
    probabilities `eiderdown.likeliest('score')` gives the class. by: names of columns. Rows where a class is null are left out.
#}
{% macro confusion_matrix(relation, target, predicted, by=[]) -%}
    {{ return(adapter.dispatch('confusion_matrix', 'eiderdown')(relation, target, predicted, by)) }}
{%- endmacro %}

{% macro default__confusion_matrix(relation, target, predicted, by) -%}
with {{ eiderdown.strata(relation, {'target': target, 'predicted': predicted}, by, none) }},

counted as (
    select stratum, target, predicted, count(*) as row_count
    from stratified
    group by stratum, target, predicted
),

classes as (
    select stratum, target as class from counted
    union
    select stratum, predicted from counted
)

select
    {%- for name in by %}
    strata.{{ name }},
    {%- endfor %}
    came.class as target,
    guessed.class as predicted,
    coalesce(counted.row_count, 0) as row_count
from strata
inner join classes as came on strata.stratum = came.stratum
inner join classes as guessed on strata.stratum = guessed.stratum
left join counted
    on came.stratum = counted.stratum and came.class = counted.target and guessed.class = counted.predicted
{%- endmacro %}
