{# A partial aggregate of one argument over a group of events. #}
{% macro window_part(part) -%}
    {%- set exact = 'cast(' ~ part.argument ~ ' as decimal(38, 10))' -%}
    {%- if part.part == 'n' -%}
        count({{ part.argument }})
    {%- elif part.part == 's' -%}
        sum(coalesce({{ exact }}, 0))
    {%- elif part.part == 'q' -%}
        sum(coalesce(cast({{ exact }} * {{ exact }} as decimal(38, 10)), 0))
    {%- else -%}
        {{ 'min' if part.part == 'lo' else 'max' }}({{ part.argument }})
    {%- endif -%}
{%- endmacro %}


{#
    A feature's value from the merged parts of a window.

    Beyond 2^53 the whole and the fraction of a sum are cast apart, so that the mean of integers equals DuckDB's avg() bit for
    bit; it takes long, so not below. A variance is taken about the whole number next to the mean: the squares cancel exactly, in decimals, before the division in doubles.
#}
{% macro window_value(column, window) -%}
    {%- set argument = column.argument -%}
    {%- set n, s, q = argument ~ '_n_' ~ window, argument ~ '_s_' ~ window, argument ~ '_q_' ~ window -%}
    {%- set near = 'cast(' ~ s ~ ' / nullif(' ~ n ~ ', 0) as bigint)' -%}
    {%- if column.kind == 'count' -%}
        cast({{ n }} as bigint)
    {%- elif column.kind == 'sum' -%}
        if({{ n }} = 0, null, {{ s }})
    {%- elif column.kind == 'mean' -%}
        if(
            abs({{ s }}) <= 9007199254740992,
            cast({{ s }} as double),
            cast(trunc({{ s }}) as double) + cast({{ s }} - trunc({{ s }}) as double)
        ) / nullif({{ n }}, 0)
    {%- elif column.kind == 'stddev' -%}
        sqrt(greatest(
            cast({{ q }} - 2 * {{ near }} * {{ s }} + cast({{ near }} * {{ near }} * {{ n }} as decimal(38, 10)) as double)
            - pow(cast({{ s }} - cast({{ near }} * {{ n }} as decimal(38, 10)) as double), 2) / {{ n }}, 0
        ) / nullif(greatest({{ n }} - 1, 0), 0))
    {%- elif column.kind in ('min', 'max') -%}
        {{ argument }}_{{ 'lo' if column.kind == 'min' else 'hi' }}_{{ window }}
    {%- elif column.kind == 'last' -%}
        nullif([one.v for one in {{ argument }}_latest if one.t >= _t - {{ column.length }}][:{{ column.parameter }}], [])
    {%- else -%}
        {{ column.name }}
    {%- endif -%}
{%- endmacro %}


{# An aggregate that cannot be put together from parts. #}
{% macro holistic(column, argument) -%}
    {{ 'count(distinct ' ~ argument ~ ')' if column.kind == 'distinct' else 'quantile_cont(' ~ argument ~ ', ' ~ column.parameter ~ ')' }}
{%- endmacro %}


{# That an event was known at a row and lies in its longest window. Blocks make it a join by equality first. #}
{% macro window_reaches(event, row, keys, longest) -%}
    {{ eiderdown.equal(event, row, keys) }}
        and {{ event }}._block = {{ row }}._t // {{ longest }}
        and {{ event }}._k <= {{ row }}._k
        and {{ event }}._t between {{ row }}._t - {{ longest }} and {{ row }}._t
{%- endmacro %}


{# The number of the tile that a time lies in, also before 1970. #}
{% macro floored(time, length) -%}
    ({{ time }} - (({{ time }} % {{ length }}) + {{ length }}) % {{ length }}) // {{ length }}
{%- endmacro %}


{% macro prefixed(alias, columns) -%}
    {%- for column in columns -%}{{ alias }}.{{ column }}{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro %}


{% macro equal(one, other, columns) -%}
    {%- for column in columns -%}{{ one }}.{{ column }} = {{ other }}.{{ column }}{{ ' and ' if not loop.last }}{%- endfor -%}
{%- endmacro %}
