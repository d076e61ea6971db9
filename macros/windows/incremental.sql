{#
    Statements that bring a windows() view, and the tiles beside it, to where a full build would have them: the same rows,
    bit for bit. Only rows that differ are written.

    view, tiles: the relations. sql: the view's compiled SQL. columns: the view's columns, in order.

    One scan gives the state of every tile, by event time and by time of knowledge. Tiles that came, changed or went (new,
    late, corrected and deleted events) are gathered, with what lies within the longest window together, into ranges. A
    change that was known from k on, in tiles that end at e, reaches the rows with known_at >= k and event_at <= e + longest
    window. To compute these, one needs events
      - back to the longest window before the last tile of which something was known before k: no such row describes an
        earlier time;
      - up to e + longest window (_until), and known before anything later was (_known_until): from then on the rows describe
        later times.
#}
{% macro windows_incremental(view, tiles, sql, columns) -%}
{%- set facts = eiderdown.windows_facts(sql) -%}
{%- set length = eiderdown.windows_tile_length(facts) -%}
{%- set entity = facts.entity -%}
{%- set keys = entity | join(', ') -%}
{%- set names = columns | join(', ') -%}
{%- set span = (facts.longest + length - 1) // length -%}
create or replace temporary table _windows_tiles as {{ eiderdown.windows_tiles(sql, facts) }};

create or replace temporary table _windows_reach as
with changed as (
    select
        {{ keys }},
        _tile,
        least(new._known_from, old._known_from) as _known_from
    from _windows_tiles as new
    full outer join {{ tiles }} as old using ({{ keys }}, _tile, _known_tile)
    where new._content is distinct from old._content or new._events is distinct from old._events
),

apart as (
    select *, _tile - lag(_tile) over (partition by {{ keys }} order by _tile) > {{ span + 1 }} as _is_apart
    from changed
),

numbered as (
    select *, count(*) filter (_is_apart) over (partition by {{ keys }} order by _tile range unbounded preceding) as _number
    from apart
),

ranges as (
    select
        {{ keys }},
        _number,
        min(_known_from) as _known_from,
        max(_tile) + {{ span }} as _until_tile
    from numbered
    group by {{ keys }}, _number
),

bounds as (
    select
        {{ eiderdown.prefixed('ranges', entity) }},
        ranges._known_from,
        (_until_tile + 1) * {{ length }} - 1 as _until,
        coalesce(
            max(tiles._tile) filter (tiles._known_from < ranges._known_from), min(tiles._tile)
        ) * {{ length }} - {{ facts.longest }} as _from,
        min(tiles._known_from) filter (tiles._tile > _until_tile) as _known_until
    from ranges
    left join _windows_tiles as tiles on {{ eiderdown.equal('ranges', 'tiles', entity) }}
    group by {{ eiderdown.prefixed('ranges', entity) }}, ranges._number, ranges._known_from, _until_tile
)

select *, row_number() over () as _range
from bounds
where _known_until is null or _known_until > _known_from;

create or replace temporary table _windows_old as
select {{ names }}
from {{ view }} as rows
where exists (
    select 1 from _windows_reach as reach
    where {{ eiderdown.equal('rows', 'reach', entity) }}
        and epoch_us(rows.known_at) >= reach._known_from
        and epoch_us(rows.event_at) <= reach._until
);

create or replace temporary table _windows_new as select {{ names }} from {{ view }} limit 0;

insert into _windows_new select {{ names }} from (
{{ eiderdown.windows_in_reach(sql, facts) }}
) as computed;

delete from {{ view }} as rows
using (from _windows_old except from _windows_new) as stale
where {{ eiderdown.equal('rows', 'stale', entity + ['event_at', 'known_at']) }};

insert into {{ view }} ({{ names }}) (from _windows_new except from _windows_old);

delete from {{ tiles }} as tiles
using (from {{ tiles }} except from _windows_tiles) as stale
where {{ eiderdown.equal('tiles', 'stale', entity + ['_tile', '_known_tile']) }};

insert into {{ tiles }} (from _windows_tiles except from {{ tiles }});

drop table _windows_old;
drop table _windows_new;
drop table _windows_reach;
drop table _windows_tiles
{%- endmacro %}
