{#
    The statistics of one column as a struct of one type for all columns, from what `counted`, `spread` and `tallied` hold of it.
    column: as profiled_columns() gives it.
#}
{% macro statistics_of(column) -%}
{%- set prefix, kind = column.prefix, column.kind -%}
{%- set counts = eiderdown.counts_of(column) -%}
{%- set is_ordered = 'quantiles' in counts -%}
{
            'feature': {{ eiderdown.literal(column.name) }},
            'type': {{ eiderdown.literal(column.type) }},
            'row_count': row_count,
            'missing_count': row_count - {{ prefix }}present,
            'nan_count': {{ eiderdown.count_of(column, 'nan') }},
            'infinite_count': {{ eiderdown.count_of(column, 'infinite') }},
            'zero_count': {{ eiderdown.count_of(column, 'zero') }},
            'distinct_count': {{ eiderdown.distinct_of(column) }},
            'mean': {% if column.finite -%}
                {{ eiderdown.twelve_digits(prefix ~ 'low', prefix, prefix ~ 'mean') }}
            {%- else -%} cast(null as double) {%- endif %},
            'stddev': {% if column.finite -%}
                {{ eiderdown.twelve_digits(prefix ~ 'low * 0', prefix, prefix ~ 'stddev') }}
            {%- else -%} cast(null as double) {%- endif %},
            'min': {{ eiderdown.extreme_of(column, 'min', 'low') }},
            'max': {{ eiderdown.extreme_of(column, 'max', 'high') }},
            'quantiles': {% if is_ordered -%}
                if({{ prefix }}low is null, map(), map(cast({{ eiderdown.quantile_fractions() }} as double[]), {{ prefix }}quantiles))
            {%- else -%} cast(map() as map(double, double)) {%- endif %},
            'histogram': {% if is_ordered -%} {{ eiderdown.histogram_of(prefix) }}
            {%- else -%} cast([] as struct(low double, high double, row_count bigint)[]) {%- endif %},
            'quantile_histogram': {% if is_ordered -%} {{ eiderdown.quantile_histogram_of(column) }}
            {%- else -%} cast([] as struct(low double, high double, row_count bigint)[]) {%- endif %},
            'top_values': {{ eiderdown.top_values_of(column) }},
            'least_length': cast({{ prefix ~ 'least_length' if 'least_length' in counts else 'null' }} as bigint),
            'mean_length': cast({{ prefix ~ 'mean_length' if 'mean_length' in counts else 'null' }} as double),
            'greatest_length': cast({{ prefix ~ 'greatest_length' if 'greatest_length' in counts else 'null' }} as bigint),
            'distinct_registers': cast({{ prefix }}state as struct(p utinyint, registers utinyint[])).registers
        }
{%- endmacro %}


{# A count of a column, 0 where its kind has none. #}
{% macro count_of(column, name) -%}
    {{ 'cast(coalesce(' ~ column.prefix ~ name ~ ', 0) as bigint)' if name in eiderdown.counts_of(column) else 'cast(0 as bigint)' }}
{%- endmacro %}


{# How many distinct values a column has; NaN is one. #}
{% macro distinct_of(column) -%}
    {%- set estimate = 'finalize(' ~ column.prefix ~ 'state)' -%}
    {%- if column.kind in ('text', 'boolean') -%}
    coalesce({{ column.prefix }}distinct, 0)
    {%- elif column.kind == 'integer' -%}
    coalesce(nullif({{ column.prefix }}distinct, 0), {{ estimate }})
    {%- else -%}
    {{ estimate }}
    {%- endif -%}
{%- endmacro %}


{# A scaled number in the column's unit, to 12 significant digits; `alone` where all values are one. #}
{% macro twelve_digits(alone, prefix, scaled) -%}
    if({{ prefix }}low = {{ prefix }}high, {{ alone }}, cast(format('{:.12g}', {{ scaled }} / {{ prefix }}unit) as double))
{%- endmacro %}


{# The least or greatest value of a column, as text. #}
{% macro extreme_of(column, name, number) -%}
    {%- if column.kind == 'floating' -%}
    cast(cast({{ column.prefix ~ number }} as {{ column.type }}) as varchar)
    {%- elif name in eiderdown.counts_of(column) -%}
    {{ column.prefix ~ name }}
    {%- else -%}
    cast(null as varchar)
    {%- endif -%}
{%- endmacro %}


{# The bins of one width, from the counts of spread(). #}
{% macro histogram_of(prefix) -%}
    {%- set first, last, bins = prefix ~ 'first', prefix ~ 'last', prefix ~ 'bins' -%}
    case
        when {{ bins }} is null then []
        when {{ first }} = {{ last }} then [{'low': {{ first }}, 'high': {{ last }}, 'row_count': cast({{ bins }}[0] as bigint)}]
        else [{
            'low': if(bin = 0, {{ first }}, ({{ prefix }}from + bin * {{ prefix }}width) / {{ prefix }}unit),
            'high': if(bin = 9, {{ last }}, ({{ prefix }}from + (bin + 1) * {{ prefix }}width) / {{ prefix }}unit),
            'row_count': cast(coalesce({{ bins }}[bin], 0) as bigint)
        } for bin in range(10)]
    end
{%- endmacro %}


{# The bins of as many values each, from the deciles: the k-th ends with the value at rank ceil(k n / 10). #}
{% macro quantile_histogram_of(column) -%}
    {%- set prefix = column.prefix -%}
    {%- set finite -%}
    ({{ prefix }}present - {{ eiderdown.count_of(column, 'nan') }} - {{ eiderdown.count_of(column, 'infinite') }})
    {%- endset -%}
    {%- set deciles -%}
    [{{ prefix }}low, {% for place in range(2, 19, 2) %}{{ prefix }}quantiles[{{ place + 1 }}], {% endfor %}{{ prefix }}high]
    {%- endset -%}
    if({{ prefix }}low is null, [], [{
        'low': {{ deciles }}[bin],
        'high': {{ deciles }}[bin + 1],
        'row_count': cast((bin * {{ finite }} + 9) // 10 - ((bin - 1) * {{ finite }} + 9) // 10 as bigint)
    } for bin in range(1, 11)])
{%- endmacro %}


{# The commonest values of a column with their counts. #}
{% macro top_values_of(column) -%}
    {%- set empty = 'cast([] as struct(value varchar, row_count bigint)[])' -%}
    {%- if column.kind in ('text', 'boolean', 'integer') -%}
    coalesce([{'value': top.value, 'row_count': -top.uncommon} for top in {{ column.prefix }}top], {{ empty }})
    {%- else -%}
    {{ empty }}
    {%- endif -%}
{%- endmacro %}
