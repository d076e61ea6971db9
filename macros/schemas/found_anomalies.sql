{#
    What breaks the schemas, a row for each relation, environment, window, feature and kind, as in monitoring.anomalies.

    schemas: of declared_schemas(). statistics: SQL relation of monitoring.feature_statistics. checks: SQL relation of checked_rows(). drift: SQL
    relation of monitoring.drift, or none. windows: a SQL condition on relation and window_at for the windows that are judged. as_of: SQL of
    now.

    The kinds are those of TensorFlow Data Validation that have a meaning here (docs/anomalies.md), and some of our own.
#}
{% macro found_anomalies(schemas, statistics, checks, drift=none, windows='true', as_of='now()') -%}
    {{ return(adapter.dispatch('found_anomalies', 'eiderdown')(schemas, statistics, checks, drift, windows, as_of)) }}
{%- endmacro %}

{% macro default__found_anomalies(schemas, statistics, checks, drift, windows, as_of) -%}
with declared_columns as materialized (
    {{ eiderdown.rows_of_json(schemas['columns'], {
        'relation': 'varchar', 'environment': 'varchar', 'feature': 'varchar', 'model': 'varchar', 'type': 'varchar', 'declared_type': 'varchar',
        'lifecycle': 'varchar', 'is_required': 'boolean', 'is_expected': 'boolean', 'is_validated': 'boolean', 'values': 'varchar[]', 'min': 'varchar',
        'max': 'varchar', 'pattern': 'varchar', 'max_share': 'double', 'is_nan_allowed': 'boolean', 'is_infinite_allowed': 'boolean',
        'min_fraction': 'double', 'min_count': 'double', 'min_valency': 'double', 'max_valency': 'double', 'min_distinct': 'double',
        'max_distinct': 'double',
    }) }}
),

declared_relations as (
    {{ eiderdown.rows_of_json(schemas.relations, {
        'relation': 'varchar', 'environment': 'varchar', 'model': 'varchar', 'min_rows': 'double', 'max_rows': 'double', 'min_ratio': 'double',
        'max_ratio': 'double',
    }) }}
),

profiled as (
    select
        *,
        -- Of five windows, so that one that was wrong neither hides what is wrong nor makes what is right again look so.
        list(quantiles) filter (where row_count - missing_count - nan_count - infinite_count >= 50) over (
            partition by relation, feature order by window_at rows between 5 preceding and 1 preceding
        ) as earlier_quantiles
    from {{ statistics }}
    where slice = 'all' and relation in (select relation from declared_relations)
),

-- The window before is the last one that has rows.
windows as (
    select
        relation,
        window_at,
        window_rows,
        {{ as_of }} as as_of,
        max(window_at) filter (where window_rows > 0) over (
            partition by relation order by window_at rows between unbounded preceding and 1 preceding
        ) as previous_at
    from (select relation, window_at, max(row_count) as window_rows from profiled group by all)
),

judged as (
    select *
    from windows
    where {{ windows }}
),

features as (
    select relation, feature, min(window_at) as first_at from profiled group by all
    union all
    select relation, feature, null as first_at from declared_columns anti join profiled using (relation, feature)
),

facts as materialized (
    select
        relation,
        declared_relations.environment,
        feature,
        window_at,
        window_rows,
        previous_at,
        first_at,
        declared,
        now,
        before,
        exists (from declared_columns as any_column where any_column.relation = judged.relation and any_column.type is not null) as is_declared
    from judged
    inner join declared_relations using (relation)
    inner join features using (relation)
    left join declared_columns as declared using (relation, feature)
    left join profiled as now using (relation, feature, window_at)
    left join profiled as before
        on features.relation = before.relation and features.feature = before.feature and previous_at = before.window_at
),

unit_changes as (
    {{ eiderdown.unit_changes('facts') | indent(4) }}
),

scaled as materialized (
    select facts.*, scale
    from facts
    left join unit_changes as scale using (relation, window_at, feature)
),

disappeared as (
    {{ eiderdown.disappeared_values('facts', checks) | indent(4) }}
),

found as (
    {%- for rule in eiderdown.column_anomaly_rules() %}
    select
        relation, environment, window_at, feature, '{{ rule.kind }}' as kind, '{{ rule.severity }}' as severity, declared.lifecycle,
        {{ rule.text }} as text,
        {{ rule.evidence }} as evidence,
        {{ eiderdown.suggested_change('coalesce(declared.model, (select model from declared_relations where declared_relations.relation = scaled.relation))', 'feature', rule) }} as suggested_change
    from scaled
    where {{ rule.lifecycles or 'coalesce(declared.is_validated, true)' }} and {{ rule.when }}
    union all
    {%- endfor %}
    {{ eiderdown.row_rule_anomalies(checks) | indent(4) }}
    union all
    select
        relation, environment, window_at, feature, 'value_disappeared', if(declared.values is null, 'warning', 'error'), declared.lifecycle,
        'has no more ' || array_to_string(list_transform(disappeared.values[:10], lambda one: format('''{}'' ({:,.0f} expected)', one.value, one.expected)), ', '),
        json_object('values', to_json(disappeared.values[:10])),
        {{ eiderdown.suggested_change('declared.model', 'feature', {
            'path': ['domain', 'values'], 'was': 'declared.values',
            'value': "list_filter(declared.values, lambda one: not list_contains(list_transform(disappeared.values, lambda gone: gone.value), one))",
        }, 'declared.values is not null') }}
    from facts
    inner join disappeared using (relation, window_at, feature)
    where coalesce(declared.is_validated, true)
    {%- if drift %}
    union all
    {{ eiderdown.drift_anomalies(drift) | indent(4) }}
    {%- endif %}
    union all
    {{ eiderdown.window_anomalies(windows) | indent(4) }}
)

select
    relation,
    environment,
    window_at,
    feature,
    kind,
    if(lifecycle = 'experimental', 'warning', severity) as severity,
    relation || if(feature = '(all)', '', ', ' || feature) || {{ eiderdown.window_text('window_at') }} || ': ' || text as text,
    cast(evidence as json) as evidence,
    cast(suggested_change as json) as suggested_change
from found
{%- endmacro %}


{# Rows of JSON as a select statement. rows: mappings; types: {field: SQL type}. #}
{% macro rows_of_json(rows, types) -%}
    {%- set fields = {} -%}
    {%- for name, type in types.items() -%}{%- do fields.update({name: type}) -%}{%- endfor -%}
    select declared.* from (select unnest(from_json({{ eiderdown.literal(tojson(rows)) }}, {{ eiderdown.literal(tojson([fields])) }})) as declared)
{%- endmacro %}


{# The JSON of a change of the YAML: {model, column, path, was, value}; null where the rule has no path. #}
{% macro suggested_change(declared_in, column, rule, condition='true') -%}
    {%- if not rule.path -%}
        null
    {%- else -%}
        if({{ condition }}, json_object('model', {{ declared_in }}, 'column', {{ column }}, 'path', {{ rule.path }}, 'was', to_json({{ rule.was }}), 'value', to_json({{ rule.value }})), null)
    {%- endif -%}
{%- endmacro %}


{# ' from 2013-05-01' and the like, of the begin of a window; empty of a whole file, which has none. #}
{% macro window_text(window_at) -%}
    case
        when {{ window_at }} = timestamptz 'epoch' then ''
        when date_trunc('day', {{ window_at }} at time zone 'UTC') = {{ window_at }} at time zone 'UTC'
            then strftime({{ window_at }} at time zone 'UTC', ' from %Y-%m-%d')
        else strftime({{ window_at }} at time zone 'UTC', ' from %Y-%m-%dT%H:%MZ')
    end
{%- endmacro %}
