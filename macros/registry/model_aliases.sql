{#
    registry.model_aliases: which version each alias has named, since when, by whom and why. Rows are only added.

    Decisions by hand come first (registry.decisions), each once. Then the newest version takes the champion's place where it
    passes all of its model's checks against it (registry.promotion_checks), unless it was there when somebody last chose
    the champion by hand, or was rolled back once. The first version is champion because there is no other.
#}
{% macro model_aliases() -%}
    {{ return(adapter.dispatch('model_aliases', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__model_aliases() -%}
{%- do eiderdown.warn_of_unknown_versions() -%}
with recorded as (
    {%- if execute and load_relation(this) is not none %}
    select * from {{ this }}
    {%- else %}
    select
        null as model, null as alias, 0 as version, now() as since, null as reason, null as decided_by, null as event_id
    where false
    {%- endif %}
),

latest as (
    select model, alias, max(since) as since
    from recorded
    group by model, alias
),

decided as (
    select
        decisions.model,
        decisions.alias,
        decisions.version,
        -- Later than the row before it: a run that promoted by rule may not have seen the event yet.
        greatest(
            decisions.decided_at,
            latest.since + to_microseconds(
                row_number() over (partition by decisions.model, decisions.alias order by decisions.decided_at, decisions.event_id)
            )
        ) as since,
        decisions.reason,
        decisions.decided_by,
        decisions.event_id
    from {{ ref('decisions') }} as decisions
    inner join {{ ref('model_versions') }} as versions
        on decisions.model = versions.model and decisions.version = versions.version
    left join latest on decisions.model = latest.model and decisions.alias = latest.alias
    where decisions.kind <> 'describe'
        and decisions.event_id not in (select event_id from recorded where event_id is not null)
),

champions as (
    select model, arg_max(version, since) as version, max(since) as since
    from (
        from recorded
        union all by name
        from decided
    )
    where alias = 'champion'
    group by model
),

candidates as (
    select model, max(version) as version, arg_max(dataset_version, version) as dataset_version
    from {{ ref('model_versions') }}
    group by model
),

chosen as (
    select
        model,
        max(decided_at) as decided_at,
        list(previous) filter (where kind = 'rollback') as rolled_back
    from {{ ref('decisions') }}
    where alias = 'champion'
    group by model
),

checks as (
    select
        model,
        version,
        champion,
        dataset_version,
        bool_and(is_passed) as is_passed,
        string_agg(text, '; ' order by list_position(['gain', 'interval', 'slices', 'calibration'], rule)) as text
    from {{ ref('promotion_checks') }}
    group by model, version, champion, dataset_version
),

promoted as (
    select
        candidates.model,
        'champion' as alias,
        candidates.version,
        -- Also where the wall clock was set back.
        greatest(now(), champions.since + to_microseconds(1)) as since,
        coalesce(checks.text, 'first version') as reason,
        'rule' as decided_by,
        cast(null as varchar) as event_id
    from candidates
    inner join {{ ref('model_versions') }} as versions
        on candidates.model = versions.model and candidates.version = versions.version
    left join champions on candidates.model = champions.model
    left join chosen on candidates.model = chosen.model
    left join checks
        on candidates.model = checks.model
        and candidates.version = checks.version
        and candidates.dataset_version = checks.dataset_version
        and champions.version = checks.champion
    where champions.version is null
        or (
            checks.is_passed
            and versions.created_at > coalesce(chosen.decided_at, '-infinity')
            and not list_contains(coalesce(chosen.rolled_back, []), candidates.version)
        )
)

from decided
union all by name
from promoted
{%- endmacro %}


{# registry.current_aliases: the version that each alias names now. #}
{% macro current_aliases() -%}
    {{ return(adapter.dispatch('current_aliases', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__current_aliases() -%}
{{ config(history=false, post_hook=after_commit("{{ eiderdown.show_model_versions() }}")) }}
{#- What the hook reads. #}
{%- do ref('model_versions') %}
{%- do ref('decisions') %}
select
    model,
    alias,
    arg_max(version, since) as version,
    max(since) as since,
    arg_max(reason, since) as reason,
    arg_max(decided_by, since) as decided_by
from {{ ref('model_aliases') }}
group by model, alias
{%- endmacro %}


{# An event that names no version changes nothing; say so. No command writes one. #}
{% macro warn_of_unknown_versions() %}
    {%- set decisions, versions = ref('decisions'), ref('model_versions') -%}
    {%- if execute and load_relation(decisions) is not none and load_relation(versions) is not none -%}
        {%- for row in run_query(
            "select event_id, model, version from " ~ decisions ~ " anti join " ~ versions ~ " using (model, version) order by all"
        ).rows -%}
            {%- do exceptions.warn(
                "events/decisions: the event " ~ row[0] ~ " names " ~ row[1] ~ " version " ~ row[2]
                ~ ", which is not in registry.model_versions; it is ignored. Remove the event's file, or restore the version"
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
