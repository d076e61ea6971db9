{#
    registry.datasets: a version for each state of each dataset, with its definition and where its rows are kept.

    A dataset gets a new version when its fingerprint (definition and content) is not that of the latest version that was
    made here; one that was brought over from another environment (`origin`) keeps the number that it was given.
    datasets: what ref() returns for the project's datasets, all of them.
#}
{% macro datasets(datasets) -%}
    {{ return(adapter.dispatch('datasets', 'eiderdown')(datasets)) }}
{%- endmacro %}

{% macro default__datasets(datasets) -%}
{{- config(post_hook=after_commit("{{ eiderdown.show_dataset_versions() }}")) -}}
{#- Before the return below, so that dbt sees it. #}
{%- do ref('decisions') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- do eiderdown.refuse_left_out('dataset', datasets) -%}
{%- set states = eiderdown.recorded_states(datasets) -%}
with built as (
    {%- for relation in datasets %}
    select
        {{ eiderdown.literal(relation.identifier) }} as dataset,
        {%- set state = states[relation.schema ~ '.' ~ relation.identifier].recorded %}
        {{ eiderdown.literal(state.dataset_fingerprint) }} as fingerprint,
        cast({{ state.row_count or 0 }} as bigint) as row_count,
        {%- set sources = tojson(state.label_sources) if state.label_sources else none %}
        cast(cast({{ eiderdown.literal(sources) }} as json) as map(varchar, bigint)) as label_sources,
        cast({{ eiderdown.literal(tojson(state.definition or {})) }} as json) as definition,
        cast(map {{ state.column_hashes or {} }} as map(varchar, varchar)) as column_hashes,
        {{ eiderdown.literal(state.artifact) }} as artifact,
        {{ eiderdown.literal(state.artifact_sha256) }} as artifact_sha256
    {#- A dataset that has not been built (dbt compile before the first run) has no version. #}
    where {{ 'true' if state else 'false' }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

brought_over as ({{ eiderdown.brought_over('dataset_record', 'datasets') }}),

latest as (
    select
        dataset,
        max(version) as version,
        arg_max(fingerprint, version) filter (where origin is null) as fingerprint
    from (
        {%- if load_relation(this) is not none %}
        select dataset, version, fingerprint, origin from {{ this }}
        union all
        {%- endif %}
        select dataset, version, fingerprint, origin from brought_over
    )
    group by dataset
)

select
    built.dataset,
    cast(coalesce(latest.version, 0) + 1 as integer) as version,
    built.* exclude (dataset),
    cast(null as varchar) as origin,
    now() as created_at
from built
left join latest on built.dataset = latest.dataset
where built.fingerprint is distinct from latest.fingerprint
union all by name
from brought_over
{%- endmacro %}
