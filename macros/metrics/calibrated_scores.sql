{#
    Rows with what their scores mean: the columns of a relation and `probability`, the score as calibrated on a hold-out, `part` and
    `part_rows`, as estimated_metrics() takes them.

    relation: a table, or a query in brackets. score: its column with the model's probability. hold_out: a relation with columns
    `by`, row_id, score and target (0 or 1) of rows that the model was not trained on. by: names of columns, such as the model's version,
    that both have; each group is calibrated on its own. Isotonic regression, where it lowers the calibration error of the
    hold-out's rows (ml/performance/calibration.py). Rows of a group without hold-out, or without a score, have no probability.
#}
{% macro calibrated_scores(relation, score, hold_out, by=[]) -%}
    {{ return(adapter.dispatch('calibrated_scores', 'eiderdown')(relation, score, hold_out, by)) }}
{%- endmacro %}

{% macro default__calibrated_scores(relation, score, hold_out, by) -%}
{%- set group -%}
    {% for name in by %}{{ name }}, {% endfor %}
{%- endset -%}
{%- set is_group -%}
    {% for name in by %} and scored.{{ name }} = %s.{{ name }}{% endfor %}
{%- endset -%}
with calibrations as materialized (
    select
        {{ group }}
        eiderdown_calibration(
            list(cast(score as double) order by md5(cast(row_id as varchar))),
            list(cast(target as double) order by md5(cast(row_id as varchar)))
        ) as fitted
    from {{ hold_out }}
    where score is not null and target is not null
    {%- if by %}
    group by {{ by | join(', ') }}
    {%- else %}
    having count(*) > 0
    {%- endif %}
),

points as (
    select {{ group }}unnest(fitted.scores) as score, unnest(fitted.probabilities) as probability
    from calibrations
),

steps as (
    select
        *,
        lead(score) over next_points as next_score,
        lead(probability) over next_points as next_probability
    from (
        select * from points
        union all
        -- Below the least score the probability is that of the least.
        select {{ group }}cast('-infinity' as double), min(probability)
        from points
        {{ 'group by ' ~ by | join(', ') if by }}
    )
    window next_points as ({{ 'partition by ' ~ by | join(', ') if by }} order by score)
),

parts as (
    select
        {{ group }}
        unnest(range(len(fitted.edges))) as part,
        -- What is below the least edge is of the first part.
        unnest(list_prepend(cast('-infinity' as double), fitted.edges[2:])) as edge,
        unnest(fitted.row_counts) as part_rows
    from calibrations
)

select
    scored.*,
    if(
        isinf(steps.score) or steps.next_score is null,
        steps.probability,
        steps.probability + (steps.next_probability - steps.probability)
        * (scored.{{ score }} - steps.score) / (steps.next_score - steps.score)
    ) as probability,
    parts.part,
    parts.part_rows
from {{ relation }} as scored
asof left join steps on scored.{{ score }} >= steps.score{{ is_group.replace('%s', 'steps') }}
asof left join parts on scored.{{ score }} >= parts.edge{{ is_group.replace('%s', 'parts') }}
{%- endmacro %}
