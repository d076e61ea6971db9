{#
    Rolling aggregates over several windows at once, exact at every edge: the body of a feature view's file.

    events: what ref() returns, or a select statement: a row per event.
    entity: the key columns. event_at: the column with the event's time. known_at: the one with the time at which it became
    known; none where that is the event's time.
    features: {column: 'mean(amount) over 7 days'}. Without `over` it is taken over each of `windows`, {'7d': '7 days'}, and
    the column is named <feature>_<window>. The aggregates: count, sum, mean, stddev (of a sample), min, max, distinct,
    percentile(x, 0.9) (interpolated) and last(x, 5) (a list, the latest first; of one time the one known last, then the
    greatest). The argument is any expression on the event's columns; nulls do not count, but in count(*).

    Gives a row for each (entity, known_at): event_at is the latest event known by then, and each value aggregates the events
    known by then that lie in [event_at - window, event_at], both ends included. A late event so corrects the newest row; where
    it is older than every window it changes nothing, and gives no row.
    Where nothing lies in a window, count and distinct are 0 and the others null. Events without a key or a time are left out.
    Each column is cast to its data_type in the contract.

    Sums are held as DECIMAL(38, 10), so the order of rows changes no bit: integers and decimals are exact, doubles are
    rounded to 1e-10. NaN, infinity and what overflows are errors. Methods, and what a window costs: windows_select().
#}
{% macro windows(events, entity, features, windows={}, event_at='event_at', known_at=none) -%}
    {{ return(adapter.dispatch('windows', 'eiderdown')(events, entity, features, windows, event_at, known_at)) }}
{%- endmacro %}

{% macro default__windows(events, entity, features, windows, event_at, known_at) -%}
    {%- set types = {} -%}
    {%- for column in (model.columns or {}).values() if column.data_type -%}
        {%- do types.update({column.name: column.data_type}) -%}
    {%- endfor -%}
    {%- set declared = eiderdown.windows_declaration(features, windows) -%}
    {{ return(eiderdown.windows_select(events, entity, event_at, known_at, declared, types)) }}
{%- endmacro %}


{#
    The select statement. Since sums are exact, count, sum and sum of squares over a window are differences of running
    totals. Least and greatest cannot be subtracted: tiles of a length that divides every window give the middle, running
    values within a tile the head and the tail. All that a window adds is the search for its first instant, once for all
    aggregates, and its middle over the tiles. Distinct counts and percentiles are DuckDB's own windows (merge sort trees).

    An event that became known after a newer one is late: it belongs to rows by two clocks, which no frame can say. Rows take
    late events by a join, in blocks as long as the longest window.

    The two marks in comments are where the materialization puts what an incremental run needs (windows_incremental()).
#}
{% macro windows_select(events, entity, event_at, known_at, declared, types) %}
{%- set arguments = declared.arguments.values() | list -%}
{%- set lengths = declared.lengths -%}
{%- set longest = lengths | last -%}
{%- set keys = entity + ['_range'] -%}
{%- set by = keys | join(', ') -%}
{%- set rows = '_rows' if known_at else '_framed' -%}
{%- set on_time = "_before is null or _t > _before" if known_at else "true" -%}
{%- set sums = [] -%}
{%- set extremes = [] -%}
{%- for argument in arguments -%}
    {%- for part in argument.parts -%}
        {%- do (sums if part in 'nsq' else extremes).append({'name': argument.name ~ '_' ~ part, 'argument': argument.name, 'part': part}) -%}
    {%- endfor -%}
{%- endfor -%}
{%- set lasts = arguments | selectattr('last') | list -%}
{%- set holistic = declared.columns | selectattr('kind', 'in', ['distinct', 'percentile']) | list -%}
with _read as (
    select
        {{ entity | join(', ') }},
        epoch_us({{ event_at }}) as _t,
        epoch_us({{ known_at or event_at }}) as _k
        {%- for expression, argument in declared.arguments.items() %},
        {{ '1' if expression == '*' else '(' ~ expression ~ ')' }} as {{ argument.name }}
        {%- endfor %}
    from {{ eiderdown.windows_events(events) }} as events
    where
        {% for column in entity + [event_at] + ([known_at] if known_at else []) -%}
        {{ 'and ' if not loop.first }}{{ column }} is not null
        {% endfor %}
),

_events as (
    select
        _read.*,
        reach._range
        {%- if known_at %},
        max(_t) over (
            partition by {{ eiderdown.prefixed('_read', entity) }}, reach._range
            order by _k range between unbounded preceding and 1 preceding
        ) as _before
        {%- endif %}
    from _read
    inner join {{ eiderdown.windows_mark({
        'entity': entity, 'arguments': arguments | map(attribute='name') | list, 'longest': longest,
        'meaning': eiderdown.windows_meaning(events, entity, event_at, known_at, declared)
    }) }}
),

_instants as (
    select
        {{ by }},
        _t,
        {{ eiderdown.floored('_t', declared.step) }} as _tile
        {%- for part in sums + extremes %},
        {{ eiderdown.window_part(part) }} as {{ part.name }}
        {%- endfor %}
    from _events
    where {{ on_time }}
    group by {{ by }}, _t
),

_running as (
    select
        {{ by }},
        _t,
        _tile
        {%- for part in sums %},
        {{ part.name }},
        sum({{ part.name }}) over _history as {{ part.name }}_total
        {%- endfor %}
        {%- for part in extremes %}
        {%- set aggregate = 'min' if part.part == 'lo' else 'max' %},
        {{ aggregate }}({{ part.name }}) over _head as {{ part.name }}_head,
        {{ aggregate }}({{ part.name }}) over _tail as {{ part.name }}_tail
        {%- endfor %}
    from _instants
    window
        _history as (partition by {{ by }} order by _t rows unbounded preceding),
        _head as (partition by {{ by }}, _tile order by _t rows unbounded preceding),
        _tail as (partition by {{ by }}, _tile order by _t rows between current row and unbounded following)
),

_framed as (
    select
        *
        {%- if sums or extremes %}
        {%- for length in lengths %},
        first_value(struct_pack(
            _tile := _tile
            {%- for part in sums %}, {{ part.name }} := {{ part.name }}_total - {{ part.name }}{% endfor %}
            {%- for part in extremes %}, {{ part.name }} := {{ part.name }}_tail{% endfor %}
        )) over (
            partition by {{ by }} order by _t range between {{ length }} preceding and current row
        ) as _first_{{ loop.index }}
        {%- endfor %}
        {%- endif %}
    from _running
),
{%- if extremes %}

_tiles as (
    select
        {{ by }},
        _tile
        {%- for part in extremes %},
        {{ 'min' if part.part == 'lo' else 'max' }}({{ part.name }}) as {{ part.name }}
        {%- endfor %}
    from _instants
    group by {{ by }}, _tile
),

_middles as (
    select
        {{ by }},
        _tile
        {%- for length in lengths if length > declared.step %}
        {%- for part in extremes %},
        {{ 'min' if part.part == 'lo' else 'max' }}({{ part.name }}) over (
            partition by {{ by }} order by _tile
            range between {{ length // declared.step - 1 }} preceding and 1 preceding
        ) as {{ part.name }}_{{ lengths.index(length) + 1 }}
        {%- endfor %}
        {%- endfor %}
    from _tiles
),
{%- endif %}
{%- for argument in lasts %}

_numbered_{{ argument.name }} as (
    select
        {{ by }}, _t, _k, {{ argument.name }},
        row_number() over (partition by {{ by }} order by _t, _k, {{ argument.name }}) as _n
    from _events
    where ({{ on_time }}) and {{ argument.name }} is not null
),

_last_{{ argument.name }} as (
    select
        {{ by }},
        _t,
        list(struct_pack(t := _t, k := _k, v := {{ argument.name }})) over (
            partition by {{ by }} order by _n rows between {{ argument.last - 1 }} preceding and current row
        ) as latest
    from _numbered_{{ argument.name }}
    qualify _n = max(_n) over (partition by {{ by }}, _t)
),
{%- endfor %}
{%- if holistic %}

_holistic as (
    select
        {{ by }},
        _t
        {%- for column in holistic %},
        {{ eiderdown.holistic(column, column.argument) }} over (
            partition by {{ by }} order by _t range between {{ column.length }} preceding and current row
        ) as {{ column.name }}
        {%- endfor %}
    from _events
    where {{ on_time }}
    qualify row_number() over (partition by {{ by }}, _t) = 1
),
{%- endif %}

{%- if known_at %}

{{ eiderdown.windows_late(keys, lengths, sums + extremes, lasts, holistic) }}
{%- endif %}

_merged as (
    select
        {{ eiderdown.prefixed(rows, entity) }},
        {{ rows }}._t,
        {{ rows }}.{{ '_k' if known_at else '_t as _k' }}
        {%- for length in lengths %}
        {%- set window = loop.index %}
        {%- for part in sums %},
        _framed.{{ part.name }}_total - struct_extract(_framed._first_{{ window }}, '{{ part.name }}')
            {%- if known_at %} + coalesce(_late.{{ part.name }}_{{ window }}, 0){% endif %} as {{ part.name }}_{{ window }}
        {%- endfor %}
        {%- for part in extremes %},
        {{ 'least' if part.part == 'lo' else 'greatest' }}(
            if(
                struct_extract(_framed._first_{{ window }}, '_tile') = _framed._tile - {{ length // declared.step }},
                struct_extract(_framed._first_{{ window }}, '{{ part.name }}'),
                null
            ),
            {%- if length > declared.step %}
            _middles.{{ part.name }}_{{ window }},
            {%- endif %}
            {%- if known_at %}
            _late.{{ part.name }}_{{ window }},
            {%- endif %}
            _framed.{{ part.name }}_head
        ) as {{ part.name }}_{{ window }}
        {%- endfor %}
        {%- endfor %}
        {%- for argument in lasts %},
        list_sort(list_concat(
            coalesce(_last_{{ argument.name }}.latest, []), {{ 'coalesce(_late.' ~ argument.name ~ '_latest, [])' if known_at else '[]' }}
        ), 'desc') as {{ argument.name }}_latest
        {%- endfor %}
        {%- for column in holistic %},
        {{ 'if(_corrected._k is null, _holistic.' ~ column.name ~ ', _corrected.' ~ column.name ~ ')' if known_at else '_holistic.' ~ column.name }} as {{ column.name }}
        {%- endfor %}
    from {{ rows }}
    {%- if known_at %}
    inner join _framed on {{ eiderdown.equal('_rows', '_framed', keys + ['_t']) }}
    {%- endif %}
    {%- if extremes %}
    left join _middles on {{ eiderdown.equal('_framed', '_middles', keys + ['_tile']) }}
    {%- endif %}
    {%- if holistic %}
    left join _holistic on {{ eiderdown.equal(rows, '_holistic', keys + ['_t']) }}
    {%- endif %}
    {%- if known_at %}
    left join _late on {{ eiderdown.equal(rows, '_late', keys + ['_k']) }}
    {%- if holistic %}
    left join _corrected on {{ eiderdown.equal(rows, '_corrected', keys + ['_k']) }}
    {%- endif %}
    {%- endif %}
    {%- for argument in lasts %}
    asof left join _last_{{ argument.name }}
        on {{ eiderdown.equal(rows, '_last_' ~ argument.name, keys) }} and {{ rows }}._t >= _last_{{ argument.name }}._t
    {%- endfor %}
    where {{ eiderdown.windows_rows_mark(rows) }}
)

select
    {{ entity | join(', ') }},
    make_timestamptz(_t) as event_at,
    make_timestamptz(_k) as known_at
    {%- for column in declared.columns %},
    {%- set value = eiderdown.window_value(column, lengths.index(column.length) + 1) %}
    {{ 'cast(' ~ value ~ ' as ' ~ types[column.name] ~ ')' if column.name in types else value }} as {{ column.name }}
    {%- endfor %}
from _merged
{% endmacro %}
