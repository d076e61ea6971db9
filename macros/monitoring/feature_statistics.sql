{#
    monitoring.feature_statistics: statistics of each watched column of the monitored relations, by window and slice, as
    statistics() has them.

    relations: what ref() returns for all nodes with config.meta.monitor; one that is left out is a compiler error. A window is
    profiled once, and again when its rows have changed (see window_contents()); its rows here are replaced then. A window
    without rows, between the relation's first and the clock's, has rows for the slice 'all' with a row_count of 0.
#}
{% macro feature_statistics(relations) -%}
    {{ return(adapter.dispatch('feature_statistics', 'eiderdown')(relations)) }}
{%- endmacro %}

{% macro default__feature_statistics(relations) -%}
{%- set columns = eiderdown.platform_contracts().feature_statistics.columns.keys() | list -%}
{{- config(
    mutable=columns | reject('in', eiderdown.platform_contracts().feature_statistics.primary_key) | list,
    post_hook="{{ eiderdown.drop_replaced_statistics() }}",
) -}}
{#- Before the return below, so that dbt sees it. #}
{%- set clock = ref('clock') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- do eiderdown.refuse_left_out('monitor', relations) -%}
{{ eiderdown.no_rows('feature_statistics') }}
{%- for relation in relations %}
{%- set declared = eiderdown.monitored(eiderdown.node_of(relation)) %}
{%- set changed = eiderdown.contents_to_profile(relation, declared, clock) %}
{%- if changed %}
union all by name
({{ eiderdown.window_statistics(relation, declared, changed) }})
{%- endif %}
{%- endfor %}
{%- endmacro %}


{# The statistics of some windows of a relation. changed: {the window's begin: its content}, as texts. #}
{% macro window_statistics(relation, declared, changed) %}
    {%- set at = eiderdown.quoted(declared.at) -%}
    {%- set window_at = eiderdown.window_of(at, declared.every) -%}
    with changed (window_at, content) as (
        values
        {%- for window, content in changed.items() %}
        (timestamptz '{{ window }}', '{{ content }}'){{ ',' if not loop.last }}
        {%- endfor %}
    ),

    profiled as materialized (
        {#- The first condition on `at` itself spares row groups that hold no such window. #}
        {{ eiderdown.statistics(
            '(from ' ~ relation ~ ' where ' ~ at ~ " >= timestamptz '" ~ (changed | min) ~ "' and " ~ at ~ ' < '
            ~ eiderdown.window_end("timestamptz '" ~ (changed | max) ~ "'", declared.every)
            ~ ' and ' ~ window_at ~ ' in (select window_at from changed))',
            declared.columns, {'window_at': window_at}, declared.slices
        ) }}
    ),

    empty as ({{ eiderdown.statistics('(from ' ~ relation ~ ' where false)', declared.columns) }})

    select {{ eiderdown.literal(declared.relation) }} as relation, profiled.*, content, now() as computed_at
    from profiled
    inner join changed on profiled.window_at = changed.window_at
    union all by name
    select {{ eiderdown.literal(declared.relation) }} as relation, empty.*, window_at, content, now() as computed_at
    from changed
    cross join empty
    where window_at not in (select window_at from profiled)
{% endmacro %}


{#
    What has to be profiled of a relation, {the window's begin: its content}, as texts: windows whose content is not that which
    the table holds.
#}
{% macro contents_to_profile(relation, declared, clock) %}
    {%- set changed = {} -%}
    {%- if load_relation(relation) is none or not declared.columns -%}{{ return(changed) }}{%- endif -%}
    {%- set held = load_relation(this) is not none -%}
    {%- set query -%}
        select strftime(window_at at time zone 'UTC', '%Y-%m-%d %H:%M:%S+00') as window_at, content
        from ({{ eiderdown.window_contents(relation, declared, clock, held) }})
        {%- if held %}
        anti join (from {{ this }} where relation = {{ eiderdown.literal(declared.relation) }}) using (window_at, content)
        {%- endif %}
        order by window_at
    {%- endset -%}
    {%- for row in run_query(query).rows -%}{%- do changed.update({row[0]: row[1]}) -%}{%- endfor -%}
    {{ return(changed) }}
{% endmacro %}


{#
    The windows of a relation with what tells the state of each from any other: a select of window_at and content.

    `content` is a digest of what is declared, of the number of the window's rows and of a sum of their hashes. Where rows are
    only appended (incremental, strategy append), their times are hashed, elsewhere all that is watched. One scan; of append-only
    relations of one column.
#}
{% macro window_contents(relation, declared, clock, held) %}
    {%- set node = eiderdown.node_of(relation) -%}
    {%- set only_appended = node.config.materialized == 'incremental' and node.config.incremental_strategy == 'append' -%}
    {%- set hashed = [declared.at] + ([] if only_appended else declared.slices + declared.columns.keys() | list) -%}
    {%- set meant = local_md5(tojson([declared.at, declared.every, declared.slices, declared.columns])) -%}
    {%- set at = eiderdown.quoted(declared.at) -%}
    with found as materialized (
        select
            {{ eiderdown.window_of(at, declared.every) }} as window_at,
            count(*) as row_count,
            sum(hash({% for name in hashed %}{{ eiderdown.quoted(name) }}{{ ', ' if not loop.last }}{% endfor %})) as checksum
        from {{ relation }}
        where {{ at }} is not null
        group by all
    ),

    first as (
        select min(window_at) as window_at
        from (
            select window_at from found
            {%- if held %}
            union all
            select window_at from {{ this }} where relation = {{ eiderdown.literal(declared.relation) }}
            {%- endif %}
        )
    ),

    windows as (
        select window_at from found
        union
        select unnest(generate_series(
            first.window_at at time zone 'UTC', as_of at time zone 'UTC' - interval 1 microsecond, interval 1 {{ declared.every }}
        )) at time zone 'UTC'
        from first
        cross join {{ clock }}
    )

    select
        windows.window_at,
        md5('{{ meant }}-' || coalesce(row_count, 0) || '-' || coalesce(checksum, 0)) as content
    from windows
    left join found on windows.window_at = found.window_at
{% endmacro %}


{# A post-hook: rows of a window that were not replaced when it was profiled anew, such as those of a slice that is gone. #}
{% macro drop_replaced_statistics() %}
    delete from {{ this }} as kept
    using (select relation, window_at, max(computed_at) as computed_at from {{ this }} group by all) as latest
    where kept.relation = latest.relation
        and kept.window_at = latest.window_at
        and kept.computed_at < latest.computed_at
{% endmacro %}


{#
    The windows that a table of monitoring has to judge: those whose rows are not the ones that it has judged.

    declared: as monitored() returns it. table: the calling model's `this`; it has columns relation, window_at and content, and keeps
    in `content` what this macro gave. Returns a select statement of window_at and content, over monitoring.feature_statistics,
    which the calling model refs. The relation itself is not read.
#}
{% macro changed_windows(declared, table) -%}
    {{ return(adapter.dispatch('changed_windows', 'eiderdown')(declared, table)) }}
{%- endmacro %}

{% macro default__changed_windows(declared, table) %}
    select distinct window_at, content
    from {{ ref('feature_statistics') }} as profiled
    where relation = {{ eiderdown.literal(declared.relation) }}
        and slice = 'all'
    {%- if load_relation(table) is not none %}
        and not exists (
            from {{ table }} as judged
            where judged.relation = profiled.relation
                and judged.window_at = profiled.window_at
                and judged.content = profiled.content
        )
    {%- endif %}
{% endmacro %}
