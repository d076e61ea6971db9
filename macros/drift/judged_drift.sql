{#
    Is a difference more than chance, and more than does not matter? Rows of drift_between() with threshold, adjusted_p_value and
    is_beyond.

    measured: a relation of drift_between()'s columns. by: the groups. rules: a relation with a row for each (feature, method):
    tolerance (the size of an effect that does not matter, or null) and decides.

    threshold: tolerance + what chance gives at these sizes, so that a drift no larger than the tolerance is beyond it in one case
    of 20 at most, at any size. adjusted_p_value: of the rows that decide, corrected over all of the group. is_beyond: such a row
    with an adjusted p of at most 0.05 and a value above its threshold; where the method has no p, the threshold alone counts.
#}
{% macro judged_drift(measured, rules, by) -%}
    {{ return(adapter.dispatch('judged_drift', 'eiderdown')(measured, rules, by)) }}
{%- endmacro %}

{% macro default__judged_drift(measured, rules, by) -%}
select
    * exclude (tolerance, decides, chance, place, hypotheses),
    coalesce(decides and coalesce(adjusted_p_value, 0) <= 0.05 and value > threshold, false) as is_beyond
from (
    select
        *,
        tolerance + coalesce(chance, 0) as threshold,
        if(
            decides and p_value is not null,
            {{ eiderdown.benjamini_hochberg('p_value', by + ['decides and p_value is not null']) }},
            null
        ) as adjusted_p_value
    from (
        {{ eiderdown.ranked_p_values(
            '(select * from ' ~ measured ~ ' left join ' ~ rules ~ ' using (feature, method))',
            'p_value', by + ['decides and p_value is not null']
        ) }}
    )
)
{%- endmacro %}


{#
    Benjamini and Hochberg's adjusted p-values (1995), as scipy.stats.false_discovery_control, over groups: an expression over the
    rows of ranked_p_values().

    p: an expression that is not null. by: expressions. Rejecting what is at most q keeps the share of false rejections at most q, and
    where nothing has drifted the probability of any at all.
#}
{% macro benjamini_hochberg(p, by) -%}
    least(min({{ p }} * hypotheses / place) over (
        partition by {{ by | join(', ') }} order by place rows between current row and unbounded following
    ), 1)
{%- endmacro %}


{# The rows of a relation with their `place` by p in their group and the number of `hypotheses` of it. #}
{% macro ranked_p_values(relation, p, by) -%}
    select
        *,
        row_number() over (partition by {{ by | join(', ') }} order by {{ p }} nulls last) as place,
        count(*) over (partition by {{ by | join(', ') }}) as hypotheses
    from {{ relation }}
{%- endmacro %}


{#
    How large a difference does not matter, {method: tolerance}: a share of five per cent of the rows, or the limit that is usual
    for the method.
#}
{% macro drift_tolerances() %}
    {{ return({
        'ks': 0.05,
        'l_infinity': 0.05,
        'missing': 0.05,
        'new_values': 0.05,
        'lost_values': 0.05,
        'wasserstein_normalised': 0.1,
        'psi': 0.1,
        'js_distance_ln': 0.1,
        'js_distance_log2': 0.12,
        'js_divergence_log2': 0.0144,
        'hellinger': 0.1,
        'classifier_auc': 0.55,
    }) }}
{% endmacro %}


{# The methods without a tolerance of their own, which decide only where one is declared. #}
{% macro drift_methods() %}
    {{ return(
        eiderdown.drift_tolerances().keys() | list
        + ['wasserstein', 'chi_square', 'chi_square_reference_exact', 'normalised_absolute_difference']
    ) }}
{% endmacro %}


{#
    The rules of some columns, as a query of (feature, method, tolerance, decides).

    columns: {name: type}; declared: {name: {method: tolerance}} of those with limits of their own, which decide in the place of
    the column's usual method: `ks` of numbers, `l_infinity` of the rest. Both are a share of rows, whatever unit the column has
    and however far its extremes lie, and have a p that holds at any size. `missing` always decides.
#}
{% macro drift_rules(columns, declared) %}
    {%- set tolerances = eiderdown.drift_tolerances() -%}
    values
    {%- for column, type in columns.items() %}
        {%- set own = declared.get(column, {}) -%}
        {%- set usual = 'ks' if eiderdown.number_of(column, type) else 'l_infinity' -%}
        {%- for method in eiderdown.drift_methods() if method != 'classifier_auc' %}
            {%- set tolerance = own.get(method, tolerances.get(method)) %}
    ({{ eiderdown.literal(column) }}, '{{ method }}', {{ 'null' if tolerance is none else tolerance }},
        {{- ' true' if method in own or method == 'missing' or (not own and method == usual) else ' false' }}),
        {%- endfor %}
    {%- endfor %}
    ('(all)', 'classifier_auc', {{ tolerances.classifier_auc }}, true)
{% endmacro %}
