{#
    What a prediction cost once its outcome is known, as ml.experiments.losses.loss_of() has it: an expression, null where the
    task has no such outcome.

    kind: brier, log_loss or error of a binary task, or of classes where there are `probabilities`; absolute or squared of a
    regression. score, label, probabilities, outcome: the columns' names; the label tells of a binary task on which side of its
    version's threshold the score is. scale: the error of a regression that costs 1; greater ones are cut, none where it is null.
#}
{% macro loss_of(kind='loss_kind', score='score', label='label', probabilities='probabilities', outcome='outcome', scale='loss_scale') -%}
    {{ return(adapter.dispatch('loss_of', 'eiderdown')(kind, score, label, probabilities, outcome, scale)) }}
{%- endmacro %}

{% macro default__loss_of(kind, score, label, probabilities, outcome, scale) -%}
{%- set is_true = 'try_cast(' ~ outcome ~ ' as boolean)' -%}
{%- set number = 'try_cast(' ~ outcome ~ ' as double)' -%}
{%- set error = 'least(abs(' ~ score ~ ' - ' ~ number ~ ') / coalesce(' ~ scale ~ ', 1), if(' ~ scale ~ " is null, cast('infinity' as double), 1))" -%}
case
    when {{ outcome }} is null then null
    when {{ kind }} in ('absolute', 'squared') then
        if(isfinite({{ score }}) and isfinite({{ number }}), pow({{ error }}, if({{ kind }} = 'squared', 2, 1)), null)
    when {{ probabilities }} is not null then
        case
            when not list_contains(map_keys({{ probabilities }}), {{ outcome }}) then null
            when not list_bool_and(list_transform(map_values({{ probabilities }}), lambda p: coalesce(isfinite(p), false)))
                then null
            when {{ kind }} = 'error' then cast(
                map_keys({{ probabilities }})[
                    list_position(map_values({{ probabilities }}), list_max(map_values({{ probabilities }})))
                ] <> {{ outcome }} as double
            )
            when {{ kind }} = 'log_loss' then {{ eiderdown.log_loss(probabilities ~ '[' ~ outcome ~ ']') }}
            else least(list_sum(list_transform(
                map_entries({{ probabilities }}), lambda entry: pow(entry.value - if(entry.key = {{ outcome }}, 1, 0), 2)
            )) / 2, 1)
        end
    when {{ score }} is null or not isfinite({{ score }}) or {{ is_true }} is null then null
    when {{ kind }} = 'error' then cast(coalesce({{ label }}, {{ score }} >= 0.5) <> {{ is_true }} as double)
    when {{ kind }} = 'log_loss' then {{ eiderdown.log_loss('if(' ~ is_true ~ ', ' ~ score ~ ', 1 - ' ~ score ~ ')') }}
    when {{ kind }} = 'brier' then pow({{ score }} - cast({{ is_true }} as double), 2)
end
{%- endmacro %}


{# The logarithm of the outcome's probability, 0 where that is 1, and 1 where it is 0.001 or less (LEAST_PROBABILITY). #}
{% macro log_loss(probability) -%}
    least(greatest(ln(greatest({{ probability }}, 0.001)) / ln(0.001), 0), 1)
{%- endmacro %}
