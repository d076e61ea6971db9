{#
    monitoring.model_performance: how good each version is in production, in each window that is over and for each slice.

    served: what ref() returns for the relations with config.meta.monitor.model, all of them. as_of: an expression, up to when what came
    out is known; without it the clock. A metric stands there twice. basis 'realised': of the rows of which the outcome is
    known (binary_metrics(), multiclass_metrics(), regression_metrics()), null where none is. basis 'estimated': of all rows, by
    what their scores mean (estimated_metrics()): all of a binary task's, of a multiclass task the accuracy, of a regression
    none. Scores are calibrated on the rows of the version's first dataset version that it was not trained on.

    row_count: predictions; outcome_count: how many outcomes are known; unusable_count: outcomes that the task does not have,
    such as a text of a regression. reference_value: the metric on the hold-out. config.meta.monitor.metrics of the served
    relation says which metrics are judged, by default the first one below:

        metrics: {auc: {max_loss: 0.02, min_count: 100}, brier: {max_relative_loss: 0.1}}

    threshold: is_degraded beyond it. It lies below (of a loss or an error above) reference_value by the loss that is allowed and
    by the uncertainty of both at their sizes, so that both intervals, not only the value, have to be worse; where fewer than
    min_count rows, or outcomes, are there nothing is judged.

    A window is computed again when its rows or outcomes have changed, as `fingerprint` tells.
#}
{% macro model_performance(served, as_of=none) -%}
    {{ return(adapter.dispatch('model_performance', 'eiderdown')(served, as_of)) }}
{%- endmacro %}

{% macro default__model_performance(served, as_of) -%}
{{ config(mutable=[
    'value', 'low', 'high', 'row_count', 'outcome_count', 'unusable_count', 'reference_value', 'threshold', 'is_degraded',
    'fingerprint',
]) }}
{%- set references, clock = ref('model_metrics'), ref('clock') -%}
{%- for table in ['prediction_log', 'feedback', 'model_versions'] -%}{%- do ref(table) -%}{%- endfor -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- do eiderdown.refuse_unlisted_served(served) -%}
{%- set until = as_of or '(select as_of from ' ~ clock ~ ')' -%}
{%- set groups = ['model', 'version', 'window_at', 'slice'] -%}
{%- for relation in served %}
{%- set declared = eiderdown.monitored(eiderdown.node_of(relation)) -%}
{%- set task = eiderdown.task_of(declared.model) -%}
{%- set judged = eiderdown.judged_metrics(eiderdown.node_of(relation), task) -%}
{{ 'union all' if not loop.first }}
select *
from (
    with all_rows as materialized (
        select *, {{ eiderdown.window_of('predicted_at', declared.every) }} as window_at
        from ({{ eiderdown.served_outcomes(relation, until) }})
        where {{ eiderdown.window_end(eiderdown.window_of('predicted_at', declared.every), declared.every) }} <= {{ until }}
    ),

    -- What a window's rows are: the order does not matter.
    windows as (
        select
            model,
            version,
            window_at,
            md5(
                count(*) || ' ' || bit_xor(md5_number(concat_ws(' ', event_id, is_told, target)))
                || {{ eiderdown.literal(tojson(judged)) }}
            ) as fingerprint
        from all_rows
        group by model, version, window_at
    ),

    changed as materialized (
        select all_rows.*, unnest(list_prepend('all', {{ eiderdown.slice_names('slices') }})) as slice
        from all_rows
        inner join windows using (model, version, window_at)
        {%- if load_relation(this) is not none %}
        anti join {{ this }} as kept
            on windows.model = kept.model
            and windows.version = kept.version
            and windows.window_at = kept.window_at
            and windows.fingerprint = kept.fingerprint
        {%- endif %}
    ),

    counted as (
        select
            {{ groups | join(', ') }},
            count(*) as row_count,
            count(target) as outcome_count,
            count(*) filter (is_told and target is null) as unusable_count
        from changed
        group by all
    ),

    {{ eiderdown.hold_outs(declared.model, references) }},

    realised as (
        {{ eiderdown.metric_intervals(
            eiderdown.metric_replicates(task, 'changed', 'target', 'score', 'threshold', 0.5, groups, 'event_id'), groups
        ) }}
    ),
    {%- if task != 'regression' %}

    calibrated as (
        {{ eiderdown.calibrated_served(task) }}
    ),

    estimated as (
        {{ eiderdown.estimated_metrics('calibrated', 'score', 'probability', 'threshold', groups, 'part', 'part_rows') }}
    ),
    {%- endif %}

    measured as (
        -- Also what is not known yet, and what was known and is no more.
        select counted.*, names.metric, 'realised' as basis, realised.value, realised.low, realised.high
        from counted
        inner join (select distinct model, version, metric from reference) as names using (model, version)
        left join realised using ({{ groups | join(', ') }}, metric)
        {%- if task != 'regression' %}
        union all
        select counted.*, metric, 'estimated', value, low, high
        from counted
        inner join estimated using ({{ groups | join(', ') }})
        {{ "where metric = 'accuracy'" if task == 'multiclass' }}
        {%- endif %}
    )

    select
        {{ groups | join(', ') }},
        metric,
        basis,
        measured.value,
        measured.low,
        measured.high,
        row_count,
        outcome_count,
        unusable_count,
        reference.value as reference_value,
        {{ eiderdown.degraded_beyond('metric', 'measured', 'reference', 'allowed') }} as threshold,
        coalesce(
            if(metric in ({{ eiderdown.lower_is_better() }}), measured.value > threshold, measured.value < threshold), false
        ) as is_degraded,
        fingerprint
    from measured
    inner join windows using (model, version, window_at)
    left join reference using (model, version, slice, metric)
    left join (
        {{ eiderdown.allowed_losses(judged) }}
    ) as allowed
        on measured.metric = allowed.metric and if(basis = 'realised', outcome_count, row_count) >= allowed.min_count
)
{%- endfor %}
{%- endmacro %}


{# Stop where the project has a relation with config.meta.monitor.model that is not in the list. #}
{% macro refuse_unlisted_served(relations) %}
    {%- set given = relations | map('string') | list -%}
    {%- for node in eiderdown.monitored_nodes() if node.config.meta.monitor.model and node.relation_name not in given -%}
        {{ exceptions.raise_compiler_error(
            "monitoring." ~ model.name ~ ": the list lacks " ~ node.name ~ "; add ref('" ~ node.name ~ "') to it"
        ) }}
    {%- endfor -%}
{% endmacro %}
