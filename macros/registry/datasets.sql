{#
    registry.datasets: a version for each state of each dataset, with its definition and where its rows are kept.

    A dataset gets a new version when its fingerprint (definition and content) is not that of its latest version.
    datasets: what ref() returns for the project's datasets, all of them.
#}
{% macro datasets(datasets) -%}
    {{ return(adapter.dispatch('datasets', 'eiderdown')(datasets)) }}
{%- endmacro %}

{% macro default__datasets(datasets) -%}
{{- config(post_hook=after_commit("{{ eiderdown.show_dataset_versions() }}")) -}}
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

latest as (
    {%- if load_relation(this) is not none %}
    select dataset, max(version) as version, arg_max(fingerprint, version) as fingerprint from {{ this }} group by dataset
    {%- else %}
    select null as dataset, 0 as version, null as fingerprint where false
    {%- endif %}
)

select
    built.dataset,
    cast(coalesce(latest.version, 0) + 1 as integer) as version,
    built.* exclude (dataset),
    now() as created_at
from built
left join latest on built.dataset = latest.dataset
where built.fingerprint is distinct from latest.fingerprint
{%- endmacro %}
