{#
    registry.model_aliases: which version each alias has named, since when and why. Rows are only added.

    The champion is chosen by rule: the newest version takes the place of the present champion when it is better, by the
    model's `promote: {metric, split, min_gain}`, on the newest version's hold-out, which both were scored on. The first
    version is champion because there is no other.
#}
{% macro model_aliases() -%}
    {{ return(adapter.dispatch('model_aliases', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__model_aliases() -%}
{%- set rules = [] -%}
{%- if execute -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and 'model' in (node.config.meta or {}) -%}
        {%- do rules.append({
            'model': node.alias,
            'promote': dict({'metric': 'auc', 'split': 'test', 'min_gain': 0}, **(node.config.meta.model.promote or {})),
        }) -%}
    {%- endfor -%}
{%- endif -%}
with rules as (
    select null as model, null as metric, null as split, 0.0 as min_gain, 1 as direction where false
    {%- for rule in rules %}
    union all
    select
        {{ eiderdown.literal(rule.model) }},
        {{ eiderdown.literal(rule.promote.metric) }},
        {{ eiderdown.literal(rule.promote.split) }},
        {{ rule.promote.min_gain }},
        {{ -1 if rule.promote.metric in ('log_loss', 'brier') else 1 }}
    {%- endfor %}
),

metrics as (
    select * from {{ ref('model_metrics') }}
    where slice = 'all'
),

candidates as (
    select model, max(version) as version, arg_max(dataset_version, version) as dataset_version
    from {{ ref('model_versions') }}
    group by model
),

champions as (
    {%- if execute and load_relation(this) is not none %}
    select model, arg_max(version, since) as version, max(since) as since from {{ this }} where alias = 'champion' group by model
    {%- else %}
    select null as model, 0 as version, now() as since where false
    {%- endif %}
),

compared as (
    select
        candidates.model,
        candidates.version,
        champions.version as champion,
        champions.since as champion_since,
        rules.metric,
        rules.split,
        rules.min_gain,
        rules.direction,
        candidate_metrics.value as candidate_value,
        champion_metrics.value as champion_value
    from candidates
    inner join rules on candidates.model = rules.model
    left join champions on candidates.model = champions.model
    left join metrics as candidate_metrics
        on candidates.model = candidate_metrics.model
        and candidates.version = candidate_metrics.version
        and candidates.dataset_version = candidate_metrics.dataset_version
        and rules.split = candidate_metrics.split
        and rules.metric = candidate_metrics.metric
    left join metrics as champion_metrics
        on candidates.model = champion_metrics.model
        and champions.version = champion_metrics.version
        and candidates.dataset_version = champion_metrics.dataset_version
        and rules.split = champion_metrics.split
        and rules.metric = champion_metrics.metric
)

select
    model,
    'champion' as alias,
    version,
    -- Later than the row before it, also where the wall clock was set back.
    greatest(now(), champion_since + interval 1 microsecond) as since,
    if(
        champion is null,
        'first version',
        format(
            '{} on {} is {:.6f}, version {} has {:.6f}', metric, split, candidate_value, champion, champion_value
        )
    ) as reason
from compared
where champion is null
    or (version <> champion and direction * (candidate_value - champion_value) > min_gain)
{%- endmacro %}


{# registry.current_aliases: the version that each alias names now. #}
{% macro current_aliases() -%}
    {{ return(adapter.dispatch('current_aliases', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__current_aliases() -%}
{{ config(history=false, post_hook=after_commit("{{ eiderdown.show_model_versions() }}")) }}
{#- What the hook reads. #}
{%- do ref('model_versions') %}
select model, alias, arg_max(version, since) as version, max(since) as since, arg_max(reason, since) as reason
from {{ ref('model_aliases') }}
group by model, alias
{%- endmacro %}
