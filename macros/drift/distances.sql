{# The CTE `number_distances`: pair, method, value, p_value, chance, of the distribution functions of numbers. #}
{% macro number_distances() %}
number_distances as (
    select
        pair,
        unnest(['ks', 'wasserstein', 'wasserstein_normalised']) as method,
        unnest([ks, area, area / greatest(sigma, 0.001)]) as value,
        unnest([ks_p_value(ks, n, m), normal_p, normal_p]) as p_value,
        -- 1.358 is the quantile of Kolmogorov's distribution, 1.96 that of the normal one, both at 95 %.
        unnest([
            1.3581015157406195 * sqrt(1 / n + 1 / m),
            1.959963984540054 * error,
            1.959963984540054 * error / greatest(sigma, 0.001),
        ]) as chance
    from (
        select *, chi2_p_value(if(error > 0, pow(area / error, 2), 0), 1) as normal_p
        from (
            select number_comparisons.*, n, m, spread * sqrt(1 / n + 1 / m) as error
            from number_comparisons
            inner join pairs using (pair)
        )
    )
),
{% endmacro %}


{# The CTE `cell_distances`: pair, method, value, p_value, chance, of shares by bins or values. #}
{% macro cell_distances() %}
shares as (
    select
        *,
        a / n as p,
        b / m as q,
        {{ eiderdown.zero_share('p') }} as filled_p,
        {{ eiderdown.zero_share('q') }} as filled_q,
        (a + b) / (n + m) as pooled,
        max(abs(p - q)) over (partition by pair, is_doane) as l_infinity
    from cells
),

compared_shares as (
    select
        pair,
        is_doane,
        any_value(is_number) as is_number,
        1 / any_value(n) + 1 / any_value(m) as error,
        count(*) as bins,
        -- In one order, so that the same shares have the same sums to the last bit.
        sum((filled_p - filled_q) * ln(filled_p / filled_q) order by a, b) as psi,
        least(greatest(sum({{ eiderdown.half_divergence('p', 'q') }} + {{ eiderdown.half_divergence('q', 'p') }} order by a, b), 0), ln(2))
            as js,
        -- As √(1 - Σ √(pq)), of which the difference would lose its digits.
        sqrt(sum(pow(sqrt(p) - sqrt(q), 2) order by a, b) / 2) as hellinger,
        any_value(l_infinity) as l_infinity,
        max(abs(a - b) / (n + m)) as normalised_absolute_difference,
        sum(pow(a * m - b * n, 2) / n / m / (a + b) order by a, b) as chi_square,
        sum(if(a = 0, cast('infinity' as double), pow(b - a * m / n, 2) / (a * m / n)) order by a, b) as chi_square_reference_exact,
        sum(chi2_p_value(
            if(pooled < 1, pow(l_infinity, 2) / (pooled * (1 - pooled) * (1 / n + 1 / m)), 0), 1
        ) order by a, b) as tails,
        max(sqrt(pooled * (1 - pooled))) as widest,
        sum(q order by a, b) filter (a = 0) as new_values,
        sum(p order by a, b) filter (b = 0) as lost_values
    from shares
    group by pair, is_doane
),

cell_distances as (
    select pair, method.method, method.value, method.p_value, method.chance
    from (
        select
            pair,
            unnest(
                if(is_doane or count(*) over (partition by pair) = 1, [
                    {{ eiderdown.divergence('js_distance_log2', 'sqrt(js / ln(2))', '8 * js / error', 'sqrt(q / 8 / ln(2))') }}
                ], [])
                || if(is_doane, [], [
                    {{ eiderdown.divergence('psi', 'psi', 'psi / error', 'q') }},
                    {{ eiderdown.divergence('js_distance_ln', 'sqrt(js)', '8 * js / error', 'sqrt(q / 8)') }},
                    {{ eiderdown.divergence('js_divergence_log2', 'js / ln(2)', '8 * js / error', 'q / 8 / ln(2)') }},
                    {{ eiderdown.divergence('hellinger', 'hellinger', '8 * pow(hellinger, 2) / error', 'sqrt(q / 8)') }},
                    {{ eiderdown.divergence('chi_square', 'chi_square', 'chi_square', 'q / error') }},
                    {{ eiderdown.divergence(
                        'chi_square_reference_exact', 'chi_square_reference_exact', 'chi_square_reference_exact', 'q / error'
                    ) }},
                    {
                        'method': 'l_infinity',
                        'value': l_infinity,
                        'p_value': least(tails, 1),
                        'chance': sqrt(chi2_quantile(1 - 0.05 / bins, if(bins > 1, 1, 0)) * error) * widest
                    },
                    {
                        'method': 'normalised_absolute_difference',
                        'value': normalised_absolute_difference,
                        'p_value': null,
                        'chance': null
                    }
                ])
                || if(is_number, [], [
                    {'method': 'new_values', 'value': coalesce(new_values, 0), 'p_value': null, 'chance': null},
                    {'method': 'lost_values', 'value': coalesce(lost_values, 0), 'p_value': null, 'chance': null}
                ])
            ) as method
        from (select *, error * chi2_quantile(0.95, bins - 1) as q from compared_shares)
    )
)
{% endmacro %}


{# A method whose statistic has chi-square's distribution where there is no drift, with one degree less than bins. #}
{% macro divergence(method, value, statistic, chance) -%}
    {
        'method': '{{ method }}',
        'value': {{ value }},
        'p_value': chi2_p_value({{ statistic }}, bins - 1),
        'chance': {{ chance }}
    }
{%- endmacro %}


{#
    A share that is no zero, as Evidently fills it: 0.0001, or a millionth of the side's smallest one where that is at most 0.0001.
    Nothing is scaled back to one.
#}
{% macro zero_share(share) -%}
    {%- set least = 'min(nullif(' ~ share ~ ', 0)) over (partition by pair, is_doane)' -%}
    if({{ share }} > 0, {{ share }}, if({{ least }} <= 0.0001, {{ least }} / 1e6, 0.0001))
{%- endmacro %}


{# Half of Kullback and Leibler's divergence of a share from the mean of both, natural logarithm. #}
{% macro half_divergence(p, q) -%}
    if({{ p }} > 0, {{ p }} / 2 * ln(2 * {{ p }} / ({{ p }} + {{ q }})), 0)
{%- endmacro %}
