{#
    The CTEs that a view by two clocks needs beside those of windows_select(): its rows (`_rows`), and what the late events of each
    add to its windows (`_late`, and for what cannot be put together from parts, the whole anew: `_corrected`).

    keys: of a partition. lengths: of the windows, in order. parts, lasts, holistic: what is aggregated, as in windows_select().
#}
{% macro windows_late(keys, lengths, parts, lasts, holistic) %}
{%- set by = keys | join(', ') -%}
{%- set longest = lengths | last -%}
_rows as (
    select {{ by }}, _k, max(greatest(_t, _before)) as _t
    from _events
    group by {{ by }}, _k
    having max(_t) >= max(greatest(_t, _before)) - {{ longest }}
),

_blocks as (
    select *, unnest([_t // {{ longest }}, _t // {{ longest }} + 1]) as _block
    from _events
),

_late as (
    select
        {{ eiderdown.prefixed('rows', keys) }},
        rows._k
        {%- for length in lengths %}
        {%- for part in parts %},
        {{ eiderdown.window_part(part) }} filter (late._t >= rows._t - {{ length }}) as {{ part.name }}_{{ lengths.index(length) + 1 }}
        {%- endfor %}
        {%- endfor %}
        {%- for argument in lasts %},
        list(struct_pack(t := late._t, k := late._k, v := {{ argument.name }}))
            filter ({{ argument.name }} is not null) as {{ argument.name }}_latest
        {%- endfor %}
    from _rows as rows
    inner join _blocks as late
        on {{ eiderdown.window_reaches('late', 'rows', keys, longest) }}
        and late._t <= late._before
    group by {{ eiderdown.prefixed('rows', keys) }}, rows._k
),
{%- if holistic %}

_corrected as (
    select
        {{ eiderdown.prefixed('rows', keys) }},
        rows._k
        {%- for column in holistic %},
        {{ eiderdown.holistic(column, 'known.' ~ column.argument) }}
            filter (known._t >= rows._t - {{ column.length }}) as {{ column.name }}
        {%- endfor %}
    from _rows as rows
    inner join _late on {{ eiderdown.equal('rows', '_late', keys + ['_k']) }}
    inner join _blocks as known
        on {{ eiderdown.window_reaches('known', 'rows', keys, longest) }}
    group by {{ eiderdown.prefixed('rows', keys) }}, rows._k
),
{%- endif %}
{% endmacro %}
