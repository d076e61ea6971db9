{#
    Where every quantile of a column is the same number of times what it was: a unit has changed, miles to kilometres, say.

    pairs: SQL relation of relation, window_at, feature, now and before, structs of monitoring.feature_statistics; now has earlier_quantiles, those
    of the five windows before. Returns a select of relation, window_at, feature, factor and conversion (null where the factor is none
    that is known), one row for each suspicion. The factor is to the window before, and nearly the same to the median of the five: a
    unit that is right again is no change. Shares, between 0 and 1 in both windows, have no unit.
    A season can scale a column too (the temperatures of April are 1.3 times those of March), so an unknown factor alone says little.

    A known unit: the quantiles, divided by its factor, are those of before but for what chance moves at these sizes (5 % and two over the
    root of the rows, of their sum), and a quarter of the way at most is left. Another factor: six in seven of the quantiles
    that are not zero agree within 5 % with the median factor, which lies outside of 0.8 to 1.25. Both windows have 50 values,
    and four quantiles differ. Of temperatures, which have no common factor, the two scales themselves are tried.
#}
{% macro unit_changes(pairs) -%}
    {{ return(adapter.dispatch('unit_changes', 'eiderdown')(pairs)) }}
{%- endmacro %}

{% macro default__unit_changes(pairs) -%}
{%- set fahrenheit_to_celsius = 'abs((one.old - 32) / 1.8 - one.new) <= 0.05 * width / 1.8' -%}
{%- set celsius_to_fahrenheit = 'abs(one.old * 1.8 + 32 - one.new) <= 0.05 * width * 1.8' -%}
select
    relation,
    window_at,
    feature,
    case when is_celsius then 1 / 1.8 when is_fahrenheit then 1.8 when is_known then known.factor else factor end as factor,
    case when is_celsius then 'Fahrenheit to Celsius' when is_fahrenheit then 'Celsius to Fahrenheit' when is_known then known.name end as conversion
from (
    select
        *,
        list_aggregate(list_transform(factors, lambda one: one.new / one.old), 'median') as factor,
        len(list_distinct(list_transform(quantiles, lambda one: one.old))) >= 4 as is_wide,
        is_wide and list_bool_and(list_transform(quantiles, lambda one: {{ fahrenheit_to_celsius }})) as is_celsius,
        is_wide and list_bool_and(list_transform(quantiles, lambda one: {{ celsius_to_fahrenheit }})) as is_fahrenheit,
        list_min(list_transform({{ eiderdown.unit_conversions() }}, lambda one: {
            'left_over': {{ eiderdown.distance_of_quantiles('one.factor') }}, 'factor': one.factor, 'name': one.name
        })) as known,
        len(list_distinct(list_transform(factors, lambda one: one.old))) >= 4 as has_factors,
        has_factors
            and struct_extract(known, 'left_over') <= 0.05 + 2 / sqrt(least_count)
            and struct_extract(known, 'left_over') <= 0.25 * {{ eiderdown.distance_of_quantiles('1') }} as is_known,
        has_factors
            and len(list_filter(factors, lambda one: abs(one.new / one.old / factor - 1) <= 0.05)) >= 6 / 7 * len(factors)
            and factor not between 0.8 and 1.25 as is_scaled
    from (
        select
            relation,
            window_at,
            feature,
            list_transform(map_keys(now.quantiles), lambda key: {'old': before.quantiles[key], 'new': now.quantiles[key]}) as quantiles,
            list_max(map_values(before.quantiles)) - list_min(map_values(before.quantiles)) as width,
            list_filter(quantiles, lambda one: one.old * one.new > 0) as factors,
            list_aggregate(list_transform(now.earlier_quantiles, lambda one: one[0.5]), 'median') as usual_median,
            least(
                now.row_count - now.missing_count - now.nan_count - now.infinite_count,
                before.row_count - before.missing_count - before.nan_count - before.infinite_count
            ) as least_count,
            now.quantiles[0.5] as median,
            before.quantiles[0.5] as median_before
        from {{ pairs }}
        where least_count >= 50
            and cardinality(now.quantiles) > 0
            and cardinality(before.quantiles) > 0
            -- What stays between 0 and 1 is a share, which has no unit.
            and not coalesce(least(try_cast(now.min as double), try_cast(before.min as double)) >= 0 and greatest(try_cast(now.max as double), try_cast(before.max as double)) <= 1, false)
    )
)
where (is_celsius or is_fahrenheit or is_known or is_scaled)
    -- In the same direction as seen from the windows before, by half the way at least.
    and (median - usual_median) / (median - median_before) > 0.5
{%- endmacro %}


{# How far the quantiles, divided by a factor, are from those of before, as a share of their sum. #}
{% macro distance_of_quantiles(factor) -%}
    list_sum(list_transform(quantiles, lambda pair: abs(pair.new / {{ factor }} - pair.old))) / list_sum(list_transform(quantiles, lambda pair: abs(pair.old)))
{%- endmacro %}


{# Units that are taken for each other, as a SQL list of {name, factor}. #}
{% macro unit_conversions() -%}
    {%- set known = {
        'miles to kilometres': 1.609344, 'nautical miles to kilometres': 1.852, 'feet to metres': 0.3048,
        'inches to centimetres': 2.54, 'inches to millimetres': 25.4, 'pounds to kilograms': 0.45359237, 'ounces to grams': 28.349523,
        'US gallons to litres': 3.785412, 'metres a second to kilometres an hour': 3.6, 'metres a second to miles an hour': 2.236936,
        'minutes to seconds, or hours to minutes': 60, 'hours to seconds': 3600, 'days to hours': 24,
        'shares to per cent, or a currency to its hundredths': 100, 'a unit to its thousandths': 1000, 'a unit to its millionths': 1000000,
    } -%}
    [
        {%- for name, factor in known.items() %}
        {'name': {{ eiderdown.literal(name) }}, 'factor': cast({{ factor }} as double)},
        {'name': {{ eiderdown.literal(name ~ ', the other way round') }}, 'factor': 1 / cast({{ factor }} as double)}{{ ',' if not loop.last }}
        {%- endfor %}
    ]
{%- endmacro %}
