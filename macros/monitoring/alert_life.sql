{#
    When alerts open and end, by what tables say of windows.

    Judged windows of one relation or model stand in a row. Where a rule holds of a subject in `for_windows` of them in a row, an
    alert opens with the end of the last of these; it is the same alert while the rule goes on to hold, and is resolved with
    the end of the first window in which it does not. A later row of windows is another alert. So alerts follow from the
    tables alone: a run that was killed, or came late, leaves out nothing. Where rows were computed anew, an alert whose time
    still overlaps keeps its name and begin; one that no longer follows is resolved. event_files has no windows: what
    holds now is open; so it is with windows that begin after the clock.

    rules: as eiderdown_alert_rules answers. relations: {table: relation}, those that rules are on; feature_statistics, where it is
    there, tells windows without an anomaly. windows: {relation or model: hour, day, week or month}. clock: a relation with as_of.
    recorded: the alerts so far. acknowledgements: events. Returns a select statement with the rows of monitoring.alerts that
    are new or may have changed.
#}
{% macro alert_life(rules, relations, windows, clock, recorded, acknowledgements) -%}
    {{ return(adapter.dispatch('alert_life', 'eiderdown')(rules, relations, windows, clock, recorded, acknowledgements)) }}
{%- endmacro %}

{% macro default__alert_life(rules, relations, windows, clock, recorded, acknowledgements) -%}
with clock as (select as_of from {{ clock }}),

window_lengths as (
    select unnest({{ windows.keys() | map('string') | list or [''] }}) as scope, unnest({{ windows.values() | map('string') | list or [''] }}) as every
),

recorded as (select * from {{ recorded }}),

observed as (
    {%- for rule in rules %}
    select
        {{ eiderdown.literal(rule.name) }} as rule,
        {{ eiderdown.literal(rule.severity) }} as severity,
        {{ rule.for_windows }} as for_windows,
        {{ eiderdown.literal(rule.table) }} as source,
        {{ eiderdown.scope_of_alerts(rule.table) }} as scope,
        {{ eiderdown.moment_of_alerts(rule.table) }} as window_at,
        cast((
            {{ rule.subject }}
        ) as varchar) as subject,
        cast((
            {{ rule.text }}
        ) as varchar) as text,
        to_json(found) as evidence
    from {{ relations[rule.table] }} as found
    cross join clock
    where cast((
            {{ rule.where }}
        ) as boolean)
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        {%- for column in ['rule', 'severity', 'source', 'scope', 'subject', 'text'] %}
        cast(null as varchar) as {{ column }},
        {%- endfor %}
        1 as for_windows,
        cast(null as timestamptz) as window_at,
        cast(null as json) as evidence
    where false
    {%- endfor %}
),

subjects as (
    select
        rule,
        severity,
        for_windows,
        source,
        scope,
        window_at,
        coalesce(subject, scope) as subject,
        list_sort(list_distinct(list(text))) as texts,
        to_json(list(evidence order by cast(evidence as varchar))[:10]) as evidence
    from observed
    group by all
),

places as (
    {%- for source in relations if source != 'feature_statistics' %}
    select distinct
        {{ eiderdown.literal(source) }} as source,
        {{ eiderdown.scope_of_alerts(source) }} as scope,
        {{ eiderdown.moment_of_alerts(source) }} as window_at
    from {{ relations[source] }} as found
    cross join clock
    {{ 'union' if not loop.last or 'feature_statistics' in relations }}
    {%- endfor %}
    {%- if 'feature_statistics' in relations %}
    select distinct 'anomalies', relation, window_at
    from {{ relations.feature_statistics }}
    {%- endif %}
),

judged as (
    -- Windows after the clock, where no row should be, stand in a row of their own.
    select
        *,
        row_number() over (partition by source, scope, is_ahead order by window_at) + if(is_ahead, 1000000000, 0) as place
    from (
        select
            places.*,
            as_of,
            window_at > as_of and source <> 'builds' as is_ahead,
            case
                when is_ahead then as_of
                {%- for every in ['hour', 'day', 'week', 'month'] %}
                when window_lengths.every = '{{ every }}' then {{ eiderdown.window_end('window_at', every) }}
                {%- endfor %}
                else window_at
            end as seen_at
        from places
        left join window_lengths using (scope)
        cross join clock
    )
    -- What is not complete is not judged; builds go by the wall clock.
    where seen_at <= as_of or source = 'builds'
),

held as (
    select
        subjects.*,
        judged.place,
        judged.seen_at,
        judged.place - row_number() over (partition by rule, source, scope, subject order by judged.place) as run
    from subjects
    inner join judged using (source, scope, window_at)
),

runs as (
    select
        rule,
        severity,
        source,
        scope,
        subject,
        list(seen_at order by place)[for_windows] as opened_at,
        max(seen_at) as last_seen_at,
        max(place) + 1 as next_place,
        arg_max(texts, place) as texts,
        arg_max(evidence, place) as evidence
    from held
    group by rule, severity, for_windows, source, scope, subject, run
    having count(*) >= for_windows
),

ended as (
    select
        runs.*,
        runs.opened_at = (select as_of from clock) as is_now,
        judged.seen_at as resolved_at,
        row_number() over (order by rule, runs.subject, opened_at) as number
    from runs
    left join judged
        on runs.source = judged.source and runs.scope = judged.scope and runs.next_place = judged.place
),

-- Each recorded alert goes on as the first that overlaps it, and what several go on as, as the first of these.
continued as (
    select number, arg_min(alert, opened_at) as alert, min(opened_at) as opened_at
    from (
        select ended.number, recorded.alert, recorded.opened_at
        from ended
        inner join recorded
            on ended.rule = recorded.rule
            and ended.subject = recorded.subject
            and (
                (recorded.opened_at <= ended.last_seen_at and recorded.last_seen_at >= ended.opened_at)
                or (ended.is_now and recorded.resolved_at is null)
            )
        qualify row_number() over (partition by recorded.alert order by ended.opened_at) = 1
    )
    group by number
),

named as (
    select
        coalesce(
            continued.alert,
            md5(concat_ws(chr(31), ended.rule, ended.subject, cast(epoch_us(ended.opened_at) as varchar)))
        ) as alert,
        ended.rule,
        ended.severity,
        ended.subject,
        array_to_string(ended.texts[:5], '; ')
        || if(len(ended.texts) > 5, format('; and {} more', len(ended.texts) - 5), '') as text,
        ended.evidence,
        coalesce(continued.opened_at, ended.opened_at) as opened_at,
        ended.last_seen_at,
        ended.resolved_at
    from ended
    left join continued on ended.number = continued.number
    union all by name
    select
        recorded.alert,
        recorded.rule,
        recorded.severity,
        recorded.subject,
        recorded.text,
        recorded.evidence,
        recorded.opened_at,
        recorded.last_seen_at,
        clock.as_of as resolved_at
    from recorded
    cross join clock
    where recorded.resolved_at is null
        and recorded.alert not in (select alert from continued)
),

acknowledged as (
    select
        alert,
        min(logged_at) as acknowledged_at,
        arg_min(acknowledged_by, logged_at) as acknowledged_by,
        arg_min(note, logged_at) as note
    from {{ acknowledgements }}
    group by alert
)

select
    named.*,
    case
        when resolved_at is not null then 'resolved'
        when acknowledged_at is not null then 'acknowledged'
        else 'open'
    end as status,
    acknowledged_at,
    acknowledged_by,
    note
from named
left join acknowledged using (alert)
{%- endmacro %}


{# What the windows of a table belong to: a relation, a model, or nothing. #}
{% macro scope_of_alerts(table) -%}
    {%- if table in ['anomalies', 'drift'] -%}found.relation
    {%- elif table in ['model_performance', 'serving_consistency'] -%}found.model
    {%- else -%}{{ eiderdown.literal(table) }}
    {%- endif -%}
{%- endmacro %}


{# When a row of a table was judged: the begin of its window, the time of a build, now. #}
{% macro moment_of_alerts(table) -%}
    {%- if table == 'event_files' -%}clock.as_of
    {%- elif table == 'builds' -%}found.logged_at
    {%- else -%}found.window_at
    {%- endif -%}
{%- endmacro %}
