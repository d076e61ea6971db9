{#
    What windows() is asked for, checked: {columns, arguments, lengths, step}.

    columns: the features in order, each {name, kind, argument, parameter, length}; lengths in microseconds.
    arguments: each SQL expression that is aggregated, {name, parts, distinct, percentiles, last}: `parts` are the partial
    aggregates that its features need (n count, s sum, q sum of squares, lo, hi), `last` the longest list asked for.
    lengths: every window, ascending. step: their greatest common divisor, the length of the tiles of lo and hi.
    A feature or window that cannot be is a compiler error that names it and the remedy.
#}
{% macro windows_declaration(features, windows) %}
    {%- set columns = [] -%}
    {%- set arguments = {} -%}
    {%- for feature, text in features.items() -%}
        {%- set asked = modules.re.fullmatch('(?s)\\s*(\\w+)\\s*\\((.*)\\)\\s*(?:over\\s+(\\d+\\s+\\w+)\\s*)?', text) -%}
        {%- set kind = asked.group(1) | lower if asked else none -%}
        {%- if kind not in eiderdown.window_parts() -%}
            {{ exceptions.raise_compiler_error(
                "windows: the feature " ~ feature ~ " is '" ~ text ~ "'; write an aggregate of an expression, such as "
                ~ "mean(amount) or mean(amount) over 7 days. The aggregates are "
                ~ eiderdown.window_parts().keys() | join(', ')
            ) }}
        {%- endif -%}
        {%- set expression = asked.group(2) | trim -%}
        {%- set parameter = none -%}
        {%- if kind in ('last', 'percentile') -%}
            {%- set expression, parameter = eiderdown.window_parameter(feature, kind, expression) -%}
        {%- endif -%}
        {%- if expression == '' or (expression == '*' and kind != 'count') -%}
            {{ exceptions.raise_compiler_error(
                "windows: the feature " ~ feature ~ " is '" ~ text ~ "'; " ~ kind ~ " needs a column or an expression"
            ) }}
        {%- endif -%}
        {%- set argument = arguments.setdefault(
            expression, {'name': 'a' ~ (arguments | length + 1), 'parts': [], 'last': 0, 'kinds': []}
        ) -%}
        {%- for part in eiderdown.window_parts()[kind] if part not in argument.parts -%}
            {%- do argument.parts.append(part) -%}
        {%- endfor -%}
        {%- do argument.kinds.append(kind) if kind not in argument.kinds -%}
        {%- do argument.update({'last': [argument.last, parameter] | max}) if kind == 'last' -%}
        {%- if not asked.group(3) and not windows -%}
            {{ exceptions.raise_compiler_error(
                "windows: the feature " ~ feature ~ " has no window; write '" ~ text ~ " over 7 days', or give "
                ~ "windows={'7d': '7 days'}"
            ) }}
        {%- endif -%}
        {%- for suffix, length in ({'': asked.group(3)} if asked.group(3) else windows).items() -%}
            {%- do columns.append({
                'name': feature ~ ('_' ~ suffix if suffix else ''),
                'kind': kind,
                'argument': argument.name,
                'parameter': parameter,
                'length': eiderdown.window_length(feature, length),
            }) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set repeated = columns | map(attribute='name') | list -%}
    {%- if repeated | unique | list | length != repeated | length or not columns -%}
        {{ exceptions.raise_compiler_error(
            "windows: the features give the columns " ~ repeated | join(', ') ~ "; give at least one, and each name once"
        ) }}
    {%- endif -%}
    {%- set lengths = columns | map(attribute='length') | unique | sort -%}
    {%- set step = namespace(value=0) -%}
    {%- for length in lengths -%}
        {%- set step.value = eiderdown.greatest_common_divisor(step.value, length) -%}
    {%- endfor -%}
    {{ return({'columns': columns, 'arguments': arguments, 'lengths': lengths, 'step': step.value}) }}
{% endmacro %}


{# The aggregates, and the partial aggregates that each is made of. #}
{% macro window_parts() %}
    {{ return({
        'count': ['n'],
        'sum': ['n', 's'],
        'mean': ['n', 's'],
        'stddev': ['n', 's', 'q'],
        'min': ['lo'],
        'max': ['hi'],
        'distinct': [],
        'percentile': [],
        'last': [],
    }) }}
{% endmacro %}


{# The expression and the number of `last(expression, 5)` or `percentile(expression, 0.9)`. #}
{% macro window_parameter(feature, kind, inner) %}
    {%- set form = '(?s)(.*),\\s*([1-9]\\d*)' if kind == 'last' else '(?s)(.*),\\s*(0?\\.\\d+|0|1|1\\.0*)' -%}
    {%- set found = modules.re.fullmatch(form, inner) -%}
    {%- if not found -%}
        {{ exceptions.raise_compiler_error(
            "windows: the feature " ~ feature ~ " is " ~ kind ~ "(" ~ inner ~ "); write "
            ~ ("last(expression, 5), with how many" if kind == 'last' else "percentile(expression, 0.9), between 0 and 1")
        ) }}
    {%- endif -%}
    {{ return((found.group(1) | trim, found.group(2) | int if kind == 'last' else found.group(2))) }}
{% endmacro %}


{# A window's length in microseconds. A month has no fixed length, so it is none. #}
{% macro window_length(feature, text) %}
    {%- set seconds = {'second': 1, 'minute': 60, 'hour': 3600, 'day': 86400, 'week': 604800} -%}
    {%- set found = modules.re.fullmatch('([1-9]\\d*)\\s+(\\w+?)s?', (text | string | trim | lower)) -%}
    {%- if not found or found.group(2) not in seconds -%}
        {{ exceptions.raise_compiler_error(
            "windows: the feature " ~ feature ~ " has the window '" ~ text ~ "'; a window has a fixed length in "
            ~ seconds.keys() | join('s, ') ~ "s. In the place of 1 month write 30 days"
        ) }}
    {%- endif -%}
    {{ return((found.group(1) | int) * seconds[found.group(2)] * 1000000) }}
{% endmacro %}


{# The events as they stand behind FROM: a relation, or a statement in brackets. #}
{% macro windows_events(events) -%}
    {{ '(' ~ events ~ '\n)' if modules.re.match('(?is)\\s*(--[^\\n]*\\s+)*(select|with|from)\\b', events | string) else events }}
{%- endmacro %}


{#
    What windows() means, as the SQL that one would write by hand: for the fingerprint and the lineage of a view, so that they
    do not depend on how the platform computes it. It is never run.
#}
{% macro windows_meaning(events, entity, event_at, known_at, declared) -%}
    {%- set functions = {
        'mean': 'avg', 'stddev': 'stddev_samp', 'distinct': 'distinct_count', 'percentile': 'quantile_cont', 'last': 'last_values'
    } -%}
    {%- set expressions = {} -%}
    {%- for expression, argument in declared.arguments.items() -%}{%- do expressions.update({argument.name: expression}) -%}{%- endfor -%}
select
    {{ entity | join(', ') }},
    {{ event_at }} as event_at,
    {{ known_at or event_at }} as known_at
    {%- for column in declared.columns %},
    {{ functions.get(column.kind, column.kind) }}({{ expressions[column.argument] }}{{ ', ' ~ column.parameter if column.parameter }}) over (
        partition by {{ entity | join(', ') }} order by {{ event_at }}{{ ', ' ~ known_at if known_at }}
        range between interval {{ column.length }} microseconds preceding and current row
    ) as {{ column.name }}
    {%- endfor %}
from {{ eiderdown.windows_events(events) }} as events
{%- endmacro %}


{% macro greatest_common_divisor(one, other) %}
    {{ return(one if other == 0 else eiderdown.greatest_common_divisor(other, one % other)) }}
{% endmacro %}
