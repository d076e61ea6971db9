{#
    monitoring.retraining: for each model that declares `retrain: on_decision` whether it is to be trained anew, and why: a row
    for each time of the clock and newest version.

    By the rules of ml/training/retrain.py. Drift and decay count in the last window that was judged, and only where more than
    half of it lies after what the newest version learned from: what it has seen is no reason to train it again. Ages and
    windows go by the clock. The decision is carried out by `eiderdown watch`, which writes it as an event; it is left
    for it in `alerts/retraining.json` of the home folder (show_retraining()).

    tables: what ref() returns for monitoring.drift and monitoring.model_performance, those of them that the project has. One that
    is not built yet has no rows.
#}
{% macro retraining(tables) -%}
    {{ return(adapter.dispatch('retraining', 'eiderdown')(tables)) }}
{%- endmacro %}

{% macro default__retraining(tables) -%}
{{ config(mutable=['decision', 'reasons', 'text', 'evidence'], post_hook=after_commit("{{ eiderdown.show_retraining() }}")) }}
{%- set clock, versions, datasets = ref('clock'), ref('model_versions'), ref('datasets') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set relations = {
    'drift': eiderdown.no_rows_of('drift'), 'model_performance': eiderdown.no_rows_of('model_performance')
} -%}
{%- for table in tables if load_relation(table) is not none -%}{%- do relations.update({table.identifier: table}) -%}{%- endfor -%}
{%- set is_built = load_relation(versions) is not none and load_relation(datasets) is not none -%}
{{ eiderdown.retraining_decisions(
    eiderdown.newest_versions(versions, datasets) if is_built else [], eiderdown.served_relations(), relations, clock
) }}
{%- endmacro %}


{#
    The decisions, by what is known of each model.

    versions: [{model, version, learned_until: SQL of a timestamptz, row_count, latest_row_count, rules}]; served: [{model,
    relation, every}]; relations: {drift, model_performance}; clock: a relation with as_of.
#}
{% macro retraining_decisions(versions, served, relations, clock) -%}
with versions as (
    {%- for found in versions %}
    select
        {{ eiderdown.literal(found.model) }} as model,
        cast({{ found.version }} as integer) as version,
        {{ found.learned_until }} as learned_until,
        cast({{ found.latest_row_count }} - {{ found.row_count }} as bigint) as new_rows,
        ({{ found.latest_row_count }} - {{ found.row_count }}) / greatest({{ found.row_count }}, 1) as new_share,
        {%- for rule in ['drifted_share', 'max_age', 'new_rows', 'new_share', 'not_more_often_than'] %}
        cast({{ eiderdown.literal(found.rules[rule]) }} as double) as {{ rule }}_rule,
        {%- endfor %}
        {{ found.rules.degraded }} as degraded_rule
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        null as model, 0 as version, now() as learned_until, 0 as new_rows, 0.0 as new_share, 0.0 as drifted_share_rule,
        0.0 as max_age_rule, 0.0 as new_rows_rule, 0.0 as new_share_rule, 0.0 as not_more_often_than_rule, false as degraded_rule
    where false
    {%- endfor %}
),

served as (
    {%- for one in served %}
    select {{ eiderdown.literal(one.model) }} as model, {{ eiderdown.literal(one.relation) }} as relation, {{ eiderdown.literal(one.every) }} as every
    {{ 'union all' if not loop.last }}
    {%- else %}
    select null as model, null as relation, null as every where false
    {%- endfor %}
),

judged as (
    select
        versions.model,
        drift.comparison,
        count(distinct drift.feature) as feature_count,
        list_sort(coalesce(list(distinct drift.feature) filter (drift.is_drifted), [])) as drifted
    from {{ relations.drift }} as drift
    inner join served on drift.relation = served.relation
    inner join versions on served.model = versions.model
    cross join {{ clock }} as clock
    where drift.slice = 'all'
        and drift.feature not in ('(all)', 'score')
        and {{ eiderdown.is_unseen_window('drift') }}
    group by versions.model, drift.comparison, drift.window_at
    qualify row_number() over (partition by versions.model, drift.comparison order by drift.window_at desc) = 1
),

drifted as (
    select
        model,
        max(len(drifted) / feature_count) as drifted_share,
        arg_max(drifted, len(drifted) / feature_count) as drifted,
        arg_max(feature_count, len(drifted) / feature_count) as feature_count
    from judged
    group by model
),

measured as (
    select performance.*, performance.window_at = max(performance.window_at) over (
        partition by performance.model, performance.basis
    ) as is_last
    from {{ relations.model_performance }} as performance
    inner join served on performance.model = served.model
    inner join versions on performance.model = versions.model
    cross join {{ clock }} as clock
    where performance.slice = 'all' and {{ eiderdown.is_unseen_window('performance') }}
),

degraded as (
    select
        model,
        list(distinct format('{} {} is {:.4g}, threshold {:.4g}', basis, metric, value, threshold)) as degraded
    from measured
    where is_last and is_degraded
    group by model
),

found as (
    select
        versions.*,
        clock.as_of,
        epoch(clock.as_of) - epoch(versions.learned_until) as age,
        coalesce(drifted.drifted_share, 0) as drifted_share,
        coalesce(drifted.drifted, []) as drifted,
        coalesce(drifted.feature_count, 0) as feature_count,
        list_sort(coalesce(degraded.degraded, [])) as degraded
    from versions
    cross join {{ clock }} as clock
    left join drifted on versions.model = drifted.model
    left join degraded on versions.model = degraded.model
),

reasoned as (
    select
        *,
        list_filter(
            [
                if(len(drifted) > 0 and drifted_share >= drifted_share_rule, {
                    'reason': 'drift',
                    'text': format(
                        '{} of {} features have drifted ({})', len(drifted), feature_count, array_to_string(drifted, ', ')
                    )
                }, null),
                if(degraded_rule and len(degraded) > 0, {'reason': 'decay', 'text': array_to_string(degraded, ', ')}, null),
                if(age > max_age_rule, {
                    'reason': 'age', 'text': format('it learned until {:.1f} days ago', age / 86400)
                }, null),
                if(new_rows > 0 and new_rows >= new_rows_rule, {
                    'reason': 'new_rows', 'text': format('{} rows are new', new_rows)
                }, null),
                if(new_rows > 0 and new_share >= new_share_rule, {
                    'reason': 'new_share', 'text': format('{:.1f} % more rows than it learned from', 100 * new_share)
                }, null)
            ],
            lambda entry: entry is not null
        ) as reasons,
        coalesce(age < not_more_often_than_rule, false) as is_too_early
    from found
)

select
    model,
    as_of,
    version,
    if(len(reasons) > 0 and not is_too_early, 'retrain', 'keep') as decision,
    list_transform(reasons, lambda entry: entry.reason) as reasons,
    case
        when len(reasons) = 0 then 'nothing that its rules name has happened'
        else array_to_string(list_transform(reasons, lambda entry: entry.text), '; ')
    end
    || if(is_too_early and len(reasons) > 0, format(
        '; it learned until {:.1f} days ago, and is trained not more often than every {:g} days',
        age / 86400, not_more_often_than_rule / 86400
    ), '') as text,
    to_json({
        'learned_until': learned_until,
        'age_seconds': age,
        'drifted_share': drifted_share,
        'drifted': drifted,
        'degraded': degraded,
        'new_rows': new_rows,
        'new_share': new_share
    }) as evidence
from reasoned
{%- endmacro %}


{# Whether a row's window is complete, and more than half of it lies after what the newest version learned from. #}
{% macro is_unseen_window(table) -%}
    case served.every
        {%- for every in ['hour', 'day', 'week', 'month'] %}
        {%- set end = eiderdown.window_end(table ~ '.window_at', every) %}
        when '{{ every }}' then
            {{ end }} <= clock.as_of
            and {{ table }}.window_at + ({{ end }} - {{ table }}.window_at) / 2 > versions.learned_until
        {%- endfor %}
    end
{%- endmacro %}


{# For each model with `retrain: on_decision` its newest version, as retraining_decisions() takes it. #}
{% macro newest_versions(versions, datasets) -%}
    {%- set declared = {} -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and 'model' in (node.config.meta or {}) -%}
        {%- set retrain = node.config.meta.model.get('retrain', 'on_change') -%}
        {%- if retrain != 'on_change' -%}{%- do declared.update({node.alias: retrain}) -%}{%- endif -%}
    {%- endfor -%}
    {%- set newest = [] -%}
    {%- if not declared -%}{{ return(newest) }}{%- endif -%}
    {%- set rules = fromjson(
        run_query("select eiderdown_retraining_rules(" ~ eiderdown.literal(tojson(declared)) ~ ")").rows[0][0]
    ) -%}
    {%- set query -%}
        select
            model,
            found.version,
            eiderdown_find({{ eiderdown.literal(eiderdown.home() ~ '/') }} || learned.artifact) as file,
            learned.definition ->> 'at' as at,
            cast(found.created_at as varchar) as created_at,
            learned.row_count,
            (
                select arg_max(row_count, version) from {{ datasets }} as latest
                where latest.dataset = found.dataset and latest.origin is null
            ) as latest_row_count
        from (
            select * from {{ versions }} qualify row_number() over (partition by model order by version desc) = 1
        ) as found
        inner join {{ datasets }} as learned
            on found.dataset = learned.dataset and found.dataset_version = learned.version
        order by model
    {%- endset -%}
    {%- for row in run_query(query).rows if row.model in rules -%}
        {#- The time of the last row that it learned from; of a file that is gone, when it was made. #}
        {%- set last_row = 'coalesce((select max("' ~ row.at ~ '") from read_parquet(' ~ eiderdown.literal(row.file) ~ ')), ' -%}
        {%- set created_at = 'timestamptz ' ~ eiderdown.literal(row.created_at) -%}
        {%- do newest.append({
            'model': row.model,
            'version': row.version | int,
            'learned_until': last_row ~ created_at ~ ')' if row.file else created_at,
            'row_count': row.row_count | int,
            'latest_row_count': (row.latest_row_count or row.row_count) | int,
            'rules': rules[row.model],
        }) -%}
    {%- endfor -%}
    {{ return(newest) }}
{%- endmacro %}


{# The monitored relations that hold the predictions of a model: [{model, relation, every}]. #}
{% macro served_relations() -%}
    {%- set served = [] -%}
    {%- for node in eiderdown.monitored_nodes() if node.config.meta.monitor.model -%}
        {%- set declared = eiderdown.monitored(node) -%}
        {%- do served.append({'model': declared.model, 'relation': declared.relation, 'every': declared.every}) -%}
    {%- endfor -%}
    {{ return(served) }}
{%- endmacro %}


{#
    Keep the decisions of now as `alerts/retraining.json` of the home folder: [{model, version, created_at, decision, reasons,
    text}]. A post-hook of monitoring.retraining, after its commit.
#}
{% macro show_retraining() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- do run_query(
        "select eiderdown_keep_text(" ~ eiderdown.literal(eiderdown.home() ~ '/alerts/retraining.json') ~ ", cast(("
        ~ "select coalesce(to_json(list(kept order by model)), json('[]')) from ("
        ~ "select model, version, created_at, decision, reasons, text from " ~ this
        ~ " inner join " ~ ref('model_versions') ~ " using (model, version) inner join " ~ ref('clock') ~ " using (as_of)"
        ~ " qualify row_number() over (partition by model order by version desc) = 1) as kept) as varchar))"
    ) -%}
{% endmacro %}
