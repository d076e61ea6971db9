{#
    Sums that do not depend on the order of the rows, so that the same scores have the same metrics to the last bit,
    whichever thread met a row first: doubles are added as integers, in units of 2^-80.

    fixed(): an expression of which the values lie below 2^46 in sum, as such an integer. exact_sum(): the sum, a double.
#}
{% macro fixed(expression) -%}
    cast(({{ expression }}) * 1.2089258196146292e24 as hugeint)
{%- endmacro %}


{% macro unfixed(expression) -%}
    (cast({{ expression }} as double) / 1.2089258196146292e24)
{%- endmacro %}


{% macro exact_sum(expression) -%}
    {{ eiderdown.unfixed('sum(' ~ eiderdown.fixed(expression) ~ ')') }}
{%- endmacro %}


{# The power of two that brings values of that size to at most 1, without rounding; 1 where all are zero. #}
{% macro power_of_two(size) -%}
    pow(2, ceil(log2(coalesce(nullif({{ size }}, 0), 1))))
{%- endmacro %}
