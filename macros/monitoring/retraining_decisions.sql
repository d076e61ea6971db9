{#
    Whether models are to be trained anew, by what is known of each: the rows of monitoring.retraining.

    versions: [{model, version, learned_until: SQL of a timestamptz, row_count, latest_row_count, rules}]; served: [{model,
    relation, every}]; relations: {drift, model_performance}; clock: a relation with as_of.
#}
{% macro retraining_decisions(versions, served, relations, clock) -%}
    {{ return(adapter.dispatch('retraining_decisions', 'eiderdown')(versions, served, relations, clock)) }}
{%- endmacro %}

{% macro default__retraining_decisions(versions, served, relations, clock) -%}
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
        cast(null as varchar) as model, 0 as version, now() as learned_until, 0 as new_rows, 0.0 as new_share, 0.0 as drifted_share_rule,
        0.0 as max_age_rule, 0.0 as new_rows_rule, 0.0 as new_share_rule, 0.0 as not_more_often_than_rule, false as degraded_rule
    where false
    {%- endfor %}
),

served as (
    {%- for one in served %}
    select {{ eiderdown.literal(one.model) }} as model, {{ eiderdown.literal(one.relation) }} as relation, {{ eiderdown.literal(one.every) }} as every
    {{ 'union all' if not loop.last }}
    {%- else %}
    select cast(null as varchar) as model, cast(null as varchar) as relation, cast(null as varchar) as every where false
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
        list(distinct concat(basis, ' ', metric, format(' is {:.4g}', value), format(', threshold {:.4g}', threshold))) as degraded
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
