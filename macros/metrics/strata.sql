{#
    The rows of a relation by groups, as three CTEs: `given` (the rows that are measured), `strata` (a number for each
    group, its columns and its row_count; a null is a value like others) and `stratified` (stratum, bucket, columns).

    relation: a table, or a query in brackets. columns: {name: expression}; rows where one of them is null are left out.
    by: names of columns. row_id: what identifies a row wherever it appears, for resampling (see resampling.sql), or none.
#}
{% macro strata(relation, columns, by, row_id) %}
given as materialized (
    select
        {%- for name in by %}
        {{ name }},
        {%- endfor %}
        {%- for name, expression in columns.items() %}
        {{ expression }} as {{ name }},
        {%- endfor %}
        {{ eiderdown.bucket_of(row_id) }} as bucket
    from {{ relation }}
    where {% for expression in columns.values() %}({{ expression }}) is not null{{ ' and ' if not loop.last }}{% endfor %}
),

strata as materialized (
    select cast(row_number() over () as integer) as stratum, *
    from (
        select {% for name in by %}{{ name }}, {% endfor %}count(*) as row_count
        from given
        group by all
        having count(*) > 0
    )
),

stratified as (
    select strata.stratum, strata.row_count, given.bucket
        {%- for name in columns %}, given.{{ name }}{% endfor %}
    from given
    inner join strata on true{% for name in by %} and given.{{ name }} is not distinct from strata.{{ name }}{% endfor %}
)
{% endmacro %}


{#
    Rows with a place among the scores of their group, from integers alone, so that it does not depend on the order of rows:
    `at_least` and `more` rows have a score as high and a higher one; `positives_at_least` and `positives_more` of these
    are positive; `row_count` and `positives` are those of the group.

    rows: a CTE with score, is_positive and the keys. keys: columns, separated by commas.
#}
{% macro ranked(rows, keys) %}
    select
        *,
        sum(cast(is_positive as integer)) over (partition by {{ keys }}) as positives,
        positives - sum(cast(is_positive as integer)) over not_above as positives_more
    from (
        select
            *,
            count(*) over not_below as at_least,
            rank() over not_below - 1 as more,
            sum(cast(is_positive as integer)) over not_below as positives_at_least
        from {{ rows }}
        window not_below as (partition by {{ keys }} order by score desc)
    )
    window not_above as (
        partition by {{ keys }} order by score desc range between current row and unbounded following
    )
{% endmacro %}


{#
    The bin of a score in 0 … bins - 1, as in sklearn.calibration.calibration_curve: the number of inner edges below it.

    'quantile': the edges are quantiles of the group's scores (linear interpolation); by ranks, so exactly. `more`, `at_least`
    and `row_count` as ranked() gives them. 'uniform': bins of one width in [0, 1].
#}
{% macro score_bin(bins, strategy) -%}
    {%- if strategy == 'quantile' -%}
    if(row_count = at_least, 0, ({{ bins }} * (row_count - at_least) - 1) // (row_count - 1))
    {%- elif strategy == 'uniform' -%}
    0{% for edge in range(1, bins) %} + cast(score > cast('{{ edge * (1 / bins) }}' as double) as integer){% endfor %}
    {%- else -%}
    {{ exceptions.raise_compiler_error(
        "bins of scores: the strategy '" ~ strategy ~ "' is unknown; write 'quantile' or 'uniform'"
    ) }}
    {%- endif -%}
{%- endmacro %}
