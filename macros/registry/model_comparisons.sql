{#
    registry.model_comparisons: is the newest version better than another that was scored on the same rows, such as the
    champion? For each metric, split and slice the difference with its 95 % interval (metric_differences()).

    `version` is the newest of a (model, dataset_version), `champion` each other. difference: positive where `version` is
    better, also of losses and errors. Split and slice are those of `version`. What has been computed for a pair is not computed again.
#}
{% macro model_comparisons() -%}
    {{ return(adapter.dispatch('model_comparisons', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__model_comparisons() -%}
{#- After the scores, which registry.model_metrics lists. #}
{%- do ref('model_metrics') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- for task, relations in eiderdown.scores_by_task(eiderdown.project_scores()).items() %}
{{ 'union all' if not loop.first }}
select *
from (
    with {{ task }}_pairs as materialized ({{ eiderdown.uncompared_scores(relations) }})

    {{ eiderdown.metric_differences(
        task ~ '_pairs', 'target', 'score', 'champion_score', 'row_id', task, 'threshold', 'champion_threshold',
        by=['model', 'version', 'champion', 'dataset_version', 'split', 'slice']
    ) }}
)
{%- endfor -%}
{%- endmacro %}


{# The rows that the newest version and another have scored, of pairs that `this` does not hold yet. #}
{% macro uncompared_scores(relations) %}
    select
        candidate.model,
        candidate.version,
        pairs.champion,
        candidate.dataset_version,
        candidate.split,
        unnest(list_prepend('all', {{ eiderdown.slice_names('candidate.slices') }})) as slice,
        candidate.row_id,
        candidate.target,
        candidate.score,
        candidate.threshold,
        champion.score as champion_score,
        champion.threshold as champion_threshold
    from (
        select newest.model, newest.version, other.version as champion, newest.dataset_version
        from (
            select model, dataset_version, max(version) as version
            from ({{ eiderdown.versions_scored(relations) }})
            group by model, dataset_version
        ) as newest
        inner join ({{ eiderdown.versions_scored(relations) }}) as other
            on newest.model = other.model
            and newest.dataset_version = other.dataset_version
            and newest.version > other.version
        {%- if load_relation(this) is not none %}
        anti join {{ this }} as compared
            on newest.model = compared.model
            and newest.version = compared.version
            and other.version = compared.champion
            and newest.dataset_version = compared.dataset_version
        {%- endif %}
    ) as pairs
    inner join ({{ eiderdown.all_scores(relations) }}) as candidate
        on pairs.model = candidate.model
        and pairs.version = candidate.version
        and pairs.dataset_version = candidate.dataset_version
    inner join ({{ eiderdown.all_scores(relations) }}) as champion
        on pairs.model = champion.model
        and pairs.champion = champion.version
        and pairs.dataset_version = champion.dataset_version
        and candidate.row_id = champion.row_id
{% endmacro %}


{% macro versions_scored(relations) -%}
    select distinct model, version, dataset_version from ({{ eiderdown.all_scores(relations) }})
{%- endmacro %}
