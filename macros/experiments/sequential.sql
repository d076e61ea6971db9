{#
    Half the width of the 95 % interval that holds at all looks together, so that one may look after each run and act when one
    likes: ml.experiments.sequential.radius(), where the method and its source are.

    variance: of the estimate, with the protection of 1 for each arm's sum of squares; movement: the most that one outcome moves it by.
#}
{% macro radius_at_all_looks(variance, movement) -%}
    {{ return(adapter.dispatch('radius_at_all_looks', 'eiderdown')(variance, movement)) }}
{%- endmacro %}

{% macro default__radius_at_all_looks(variance, movement) -%}
{%- set evidence = '(ln(1 / 0.05) + ln(1 + 0.0025 / (' ~ variance ~ ')) / 2)' -%}
(
    sqrt(2 * ({{ variance }}) * (1 + ({{ variance }}) / 0.0025) * {{ evidence }}) + 2.0 / 3 * {{ evidence }} * ({{ movement }})
)
{%- endmacro %}
