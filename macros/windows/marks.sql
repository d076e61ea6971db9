{#
    Where a windows() view's SQL takes what an incremental run needs. The SQL by itself is the full build: one range, that of
    all events, and all rows. So it reads the same, and has one fingerprint, however it is run.
#}
{% macro windows_mark(facts) -%}
    {#- A text in the JSON must not end the comment, or begin one in it. #}
    (select 0 as _range) as reach on true /* eiderdown.windows {{ tojson(facts).replace('*', '\\u002a') }} */
{%- endmacro %}

{% macro windows_rows_mark(rows) -%}
    true /* eiderdown.windows rows {{ rows }} */
{%- endmacro %}


{#
    What windows_mark() holds in a view's compiled SQL: {entity, arguments, longest, meaning}; none where the SQL is not what windows()
    wrote and nothing else. Of what is put around it, such as a lead(), a part does not tell the whole.
#}
{% macro windows_facts(sql) %}
    {%- set found = modules.re.fullmatch(
        '(?s)(?:\\s*--[^\\n]*\\n)*\\s*with _read as \\(.*?/\\* eiderdown\\.windows (\\{.*?\\}) \\*/.*from _merged\\s*', sql
    ) -%}
    {{ return(fromjson(found.group(1)) if found else none) }}
{% endmacro %}


{# The select statement of the state of each tile: what lies in it, whatever the order of its rows, and since when. #}
{% macro windows_tiles(sql, facts) -%}
    {{ sql.split('/* eiderdown.windows {')[0] }}
)

select
    {{ facts.entity | join(', ') }},
    {{ eiderdown.floored('_t', eiderdown.windows_tile_length(facts)) }} as _tile,
    {{ eiderdown.floored('_k', eiderdown.windows_tile_length(facts)) }} as _known_tile,
    count(*) as _events,
    min(_k) as _known_from,
    {#- hash() takes an empty list for null. #}
    sum(hash(_t, _k, {{ facts.arguments | join(', ') }}, {{ facts.arguments | join(' is null, ') }} is null)) as _content
from _read
group by all
{%- endmacro %}


{# A sixteenth of the longest window: what is computed anew about a change is then at most a sixteenth too much. #}
{% macro windows_tile_length(facts) -%}
    {{ return([facts.longest // 16, 1] | max) }}
{%- endmacro %}


{# The view's SQL over the ranges of _windows_reach alone. #}
{% macro windows_in_reach(sql, facts) -%}
    {%- set events -%}
        _windows_reach as reach
            on {{ eiderdown.equal('_read', 'reach', facts.entity) }}
            and _t between reach._from and reach._until
            and (reach._known_until is null or _k < reach._known_until)
    {%- endset -%}
    {%- set rows_mark = modules.re.search('true /\\* eiderdown\\.windows rows (\\w+) \\*/', sql) -%}
    {%- set rows -%}
        exists (
            select 1 from _windows_reach as reach
            where reach._range = {{ rows_mark.group(1) }}._range
                and {{ rows_mark.group(1) }}.{{ '_k' if rows_mark.group(1) == '_rows' else '_t' }} >= reach._known_from
        )
    {%- endset -%}
    {%- set mark = modules.re.search('\\(select 0 as _range\\) as reach on true /\\* eiderdown\\.windows \\{.*?\\} \\*/', sql).group(0) -%}
    {{ return(sql.replace(mark, events).replace(rows_mark.group(0), rows)) }}
{%- endmacro %}
