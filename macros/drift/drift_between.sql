{#
    How far two relations differ, column by column: rows (by…, feature, method, value, p_value, chance, reference_count,
    row_count).

    reference, current: tables, or queries in brackets; each is read a few times, of a column at a time. columns: {name: SQL type}.
    by: names of columns of both; groups of equal values are compared (a null is a value like others), also where one side has
    no row of a group. each: {name: query of its values}, columns that current alone has: its groups of each value, such as a window,
    are compared with the same rows of the reference, which are read once. The order of rows does not matter.

    A column that has no value on one side has only the row `missing`, with a null where the side has no row. p_value: how likely
    it is without drift; chance: what is exceeded without drift in one case of 20, at these sizes; both null where the method has
    none. reference_count, row_count: the values that were compared, of `missing` all rows.

    Numbers (also dates and times, as seconds, and lists, by their length):
    - ks: Kolmogorov and Smirnov's D, as scipy.stats.ks_2samp, with its p (exact up to a million pairs of rows, then asymptotic)
    - wasserstein, wasserstein_normalised: W1, and W1 / max(population σ of the reference, 0.001), as Evidently.
      p and chance from ∫|B(F)| <= |N(0, 1)| · ∫√(F(1 − F)) for a Brownian bridge B, so on the safe side
    Numbers by bins, and the rest by values:
    - psi: Σ (p − q) ln(p / q), as Evidently (zero_share())
    - js_distance_ln, js_divergence_log2, js_distance_log2: Jensen and Shannon's, with the base of the logarithm; the first as
      Evidently, the second by TFDV's formula, the third by NannyML's with Doane's bins
    - hellinger: √(1 − Σ √(pq))
    - l_infinity: max |p − q|, and normalised_absolute_difference: the same of counts over all rows of both, as TFDV
    - chi_square: the statistic of scipy.stats.chi2_contingency(correction=False); chi_square_reference_exact: that of
      scipy.stats.chisquare with the reference's shares taken as exact, as Evidently
    p and chance of these by asymptotics: chi-square's with one degree less than there are bins (PSI/(1/n + 1/m), 8·JS/(1/n + 1/m)
    with natural logarithm, 8·H²/(1/n + 1/m)); of l_infinity the sum over values of two-sided normal tails.
    Values that are not numbers:
    - new_values: the share of current rows with a value that the reference lacks; lost_values: the other way round
    Every column:
    - missing: the difference of the shares of missing values, with the p of the pooled two-proportion z-test

    Null, NaN, infinity and what is beyond ±1e100 is missing, and takes part in nothing else. Numbers are compared as doubles.
    Bins: Sturges' over both samples together, or one for each value where the reference has at most 20.
#}
{% macro drift_between(reference, current, columns, by=[], each={}) -%}
    {{ return(adapter.dispatch('drift_between', 'eiderdown')(reference, current, columns, by, each)) }}
{%- endmacro %}

{% macro default__drift_between(reference, current, columns, by, each) -%}
{%- set numbers, categories = {}, {} -%}
{%- for column, type in columns.items() -%}
    {%- set number = eiderdown.number_of(column, type) -%}
    {%- if number -%}{%- do numbers.update({column: number}) -%}
    {%- elif eiderdown.is_category(type) -%}{%- do categories.update({column: 'cast("' ~ column ~ '" as varchar)'}) -%}
    {%- endif -%}
{%- endfor -%}
with {{ eiderdown.drift_pairs(reference, current, columns, numbers, by, each) }}
{{ eiderdown.category_counts(reference, current, categories, by, each) }}
{{ eiderdown.number_comparisons(reference, current, numbers, by, each) }}
{{ eiderdown.drift_cells() }}
{{ eiderdown.number_distances() }}
{{ eiderdown.cell_distances() }}
select
    {%- for name in by + each.keys() | list %}
    pairs.{{ name }},
    {%- endfor %}
    pairs.feature,
    measured.method,
    measured.value,
    measured.p_value,
    measured.chance,
    if(measured.method = 'missing', reference_rows, n) as reference_count,
    if(measured.method = 'missing', current_rows, m) as row_count
from (
    select * from number_distances
    union all
    select * from cell_distances
    union all
    select
        pair,
        'missing' as method,
        abs(n / nullif(reference_rows, 0) - m / nullif(current_rows, 0)) as value,
        chi2_p_value(if(value is null, null, if(error > 0, pow(value / error, 2), 0)), 1) as p_value,
        1.959963984540054 * error as chance
    from (
        select *, sqrt(present * (1 - present) * (1 / nullif(reference_rows, 0) + 1 / nullif(current_rows, 0))) as error
        from (
            select *, (n + m) / (reference_rows + current_rows) as present
            from pairs
        )
    )
) as measured
inner join pairs using (pair)
{%- endmacro %}


{# A column as a double, an SQL expression; nothing where its type is no number. #}
{% macro number_of(column, type) -%}
    {%- set kind = type.split('(')[0] | trim | lower -%}
    {%- set name = '"' ~ column ~ '"' -%}
    {%- if ']' in type -%}cast(len({{ name }}) as double)
    {%- elif kind in ('boolean', 'bool') -%}
    {%- elif kind in eiderdown.number_types() -%}cast({{ name }} as double)
    {%- elif kind == 'date' or kind.startswith('time') -%}cast(epoch({{ name }}) as double)
    {%- endif -%}
{%- endmacro %}


{# Whether values of a type are compared as they are: texts, booleans and the like. #}
{% macro is_category(type) -%}
    {{ return(type.split('(')[0] | trim | lower in ('boolean', 'bool', 'varchar', 'text', 'string', 'char', 'enum', 'uuid')) }}
{%- endmacro %}


{#
    The CTE `pairs`, a row for each column and group: pair (a number), feature, by…, the rows and values of each side
    (reference_rows, current_rows, n, m). One scan of each side for all columns.
#}
{% macro drift_pairs(reference, current, columns, numbers, by, each) %}
{%- set groups = by + each.keys() | list -%}
extents as (
    {%- for relation in [reference, current] %}
    {%- set names = by if loop.first else groups %}
    select *
    from (
        select
            {%- for name in names %}
            {{ name }},
            {%- endfor %}
            {{ loop.first | lower }} as is_reference,
            count(*) as all_rows,
            unnest([
                {%- for column in columns %}
                {
                    'feature': {{ eiderdown.literal(column) }},
                    'value_count': {{ 'count_if(abs(' ~ numbers[column] ~ ') < 1e100)' if column in numbers else 'count("' ~ column ~ '")' }}
                }{{ ',' if not loop.last }}
                {%- endfor %}
            ], max_depth := 2)
        from {{ relation }}
        {{ 'group by ' ~ names | join(', ') if names }}
    )
    {%- if loop.first %}{{ eiderdown.each_value(each) }}
    union all by name
    {%- endif %}
    {%- endfor %}
),

pairs as materialized (
    select
        cast(row_number() over () as integer) as pair,
        feature,
        {%- for name in groups %}
        {{ name }},
        {%- endfor %}
        {%- for part, of in {'reference_rows': 'all_rows', 'n': 'value_count'}.items() %}
        cast(coalesce(max({{ of }}) filter (is_reference), 0) as bigint) as {{ part }},
        {%- endfor %}
        {%- for part, of in {'current_rows': 'all_rows', 'm': 'value_count'}.items() %}
        cast(coalesce(max({{ of }}) filter (not is_reference), 0) as bigint) as {{ part }}{{ ',' if not loop.last }}
        {%- endfor %}
    from extents
    group by all
),
{% endmacro %}


{# The condition that a row of a column belongs to a pair. groups: the names of the columns that tell its groups apart. #}
{% macro is_of_pair(column, groups) -%}
    pairs.feature = {{ eiderdown.literal(column) }}{% for name in groups %} and pairs.{{ name }} is not distinct from given.{{ name }}{% endfor %}
    and n > 0 and m > 0
{%- endmacro %}
