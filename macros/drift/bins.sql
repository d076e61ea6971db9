{# The bin of a value among Sturges' over both samples; columns pair_low, pair_high, sturges. #}
{% macro sturges_bin(value) -%}
    {{ eiderdown.numpy_bin(value, 'pair_low', 'pair_high', 'sturges') }}
{%- endmacro %}


{# The bin of a value among Doane's over the reference, -1 outside of them; columns reference_low, reference_high, doane. #}
{% macro doane_bin(value) -%}
    if({{ value }} between reference_low and reference_high, {{ eiderdown.numpy_bin(value, 'reference_low', 'reference_high', 'doane') }}, -1)
{%- endmacro %}


{#
    The bin in 0 … bins - 1 of a value in [low, high], of one width, the last closed: as numpy.histogram has it, whose edges are
    rounded. So what is computed is a guess, and compared with the edges beside it.
#}
{% macro numpy_bin(value, low, high, bins) -%}
    {%- set width = '((' ~ high ~ ' - ' ~ low ~ ') / ' ~ bins ~ ')' -%}
    {%- set guess = 'least(floor((' ~ value ~ ' - ' ~ low ~ ') / ' ~ width ~ '), ' ~ bins ~ ' - 1)' -%}
    if(
        {{ high }} > {{ low }},
        {{ guess }}
        - cast({{ value }} < {{ low }} + {{ guess }} * {{ width }} as integer)
        + cast({{ guess }} < {{ bins }} - 1 and {{ value }} >= {{ low }} + ({{ guess }} + 1) * {{ width }} as integer),
        0
    )
{%- endmacro %}


{# The CTE `category_counts`: pair, a and b, the rows of the reference and of current, a row for each value that is not null. #}
{% macro category_counts(reference, current, categories, by) %}
category_counts as (
    {%- for column, expression in categories.items() %}
    select pair, cast(sum(is_reference) as double) as a, cast(count(*) - sum(is_reference) as double) as b
    from ({{ eiderdown.drift_rows(reference, current, expression, by, is_number=false) }}) as given
    inner join pairs on {{ eiderdown.is_of_pair(column, by) }}
    group by pair, value
    {{- ' union all' if not loop.last }}
    {%- else %}
    {{ eiderdown.nothing({'pair': 'integer', 'a': 'double', 'b': 'double'}) }}
    {%- endfor %}
)
{% endmacro %}


{#
    The CTE `cells`: pair, is_doane, a, b, n, m, a row for each bin or value that has rows. Doane's bins are those of js_distance_log2
    where a number is binned.
#}
{% macro drift_cells() %}
counted_cells as (
    select pair, false as is_doane, false as is_number, a, b from category_counts
    union all
    {%- for is_doane in ['false', 'true'] %}
    select pair, {{ is_doane }}, true, sum(a), sum(b)
    from (
        select
            pair,
            cast(a as double) as a,
            cast(b as double) as b,
            {{ 'if(is_few, value, ' ~ eiderdown.sturges_bin('value') ~ ')' if is_doane == 'false' else eiderdown.doane_bin('value') }} as bin
        from number_leaves
        inner join number_pairs using (pair)
        {{ 'where not is_few' if is_doane == 'true' }}
    )
    group by pair, bin
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

cells as (
    select counted_cells.*, n, m
    from counted_cells
    inner join pairs using (pair)
)
{% endmacro %}
