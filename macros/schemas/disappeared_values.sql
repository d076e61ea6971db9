{#
    The values that a column had and, all at once, has no more: a carrier that disappears.

    pairs: as of unit_changes(), with previous_at, the window of `before`. checks: SQL relation of checked_rows(), whose counts tell of domains;
    otherwise the top values do, where they are all. Returns a select of relation, window_at, feature and values, a list of {value,
    expected}: the rows that the value had before, in proportion to the window's. Thirty must be expected: rows come in bunches, and a
    value that was rare may stay away.
#}
{% macro disappeared_values(pairs, checks) -%}
    {{ return(adapter.dispatch('disappeared_values', 'eiderdown')(pairs, checks)) }}
{%- endmacro %}

{% macro default__disappeared_values(pairs, checks) -%}
select
    relation,
    window_at,
    feature,
    list({'value': old.value, 'expected': round(old.row_count * share)} order by old.row_count desc, old.value) as values
from (
    select
        relation,
        window_at,
        feature,
        coalesce(list_transform(map_entries(found.value_counts), lambda one: {'value': one.key, 'row_count': one.value}), now.top_values) as counts,
        unnest(coalesce(
            list_transform(map_entries(found_before.value_counts), lambda one: {'value': one.key, 'row_count': one.value}), before.top_values
        )) as old,
        (now.row_count - now.missing_count) / (before.row_count - before.missing_count) as share,
        list_sum(list_transform(now.top_values, lambda one: one.row_count)) = now.row_count - now.missing_count as is_all
    from {{ pairs }} as pairs
    left join (select * from {{ checks }} where kind = 'out_of_domain') as found using (relation, window_at, feature)
    left join (
        select relation, window_at as previous_at, feature, value_counts from {{ checks }} where kind = 'out_of_domain'
    ) as found_before using (relation, previous_at, feature)
    where before.row_count > before.missing_count
        and (is_all or found.value_counts is not null)
)
where old.row_count * share >= 30
    and not list_contains(list_transform(counts, lambda one: one.value), old.value)
group by all
{%- endmacro %}
