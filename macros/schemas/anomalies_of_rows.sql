{# The parts of found_anomalies() that come from rules on rows, from drift, and from the number of rows; over its CTEs. #}
{% macro row_rule_anomalies(checks) -%}
select
    relation, declared_relations.environment, window_at, feature, kind, 'error' as severity, declared.lifecycle,
    case kind
        when 'out_of_domain' then format('{:,} of {:,} values ({:.3g} %) are outside of its domain', broken_count, row_count, 100 * broken_count / row_count)
        when 'pattern' then format('{:,} of {:,} values ({:.3g} %) do not match {}', broken_count, row_count, 100 * broken_count / row_count, declared.pattern)
        when 'below_range' then format('{:,} of {:,} values ({:.3g} %) lie below {}', broken_count, row_count, 100 * broken_count / row_count, declared.min)
        when 'above_range' then format('{:,} of {:,} values ({:.3g} %) lie above {}', broken_count, row_count, 100 * broken_count / row_count, declared.max)
        when 'check' then format('{:,} of {:,} rows break the check {}', broken_count, row_count, rule)
        else format('{:,} of {:,} rows repeat the key, {}', broken_count, row_count, rule)
    end || ', such as '
    || array_to_string(list_transform(examples[:3], lambda one: format('''{}'' ({:,})', one.value, one.row_count)), ', ') as text,
    json_object(
        'broken_count', broken_count, 'row_count', row_count, 'share', broken_count / row_count, 'rule', rule, 'examples', to_json(examples[:10])
    ) as evidence,
    case kind
        when 'out_of_domain' then {{ eiderdown.suggested_change('declared.model', 'feature', {
            'path': ['domain', 'values'], 'was': 'declared.values',
            'value': "list_concat(declared.values, list_transform(examples, lambda one: one.value))",
        }, 'len(examples) + len(declared.values) <= 100') }}
        when 'below_range' then {{ eiderdown.suggested_change('declared.model', 'feature', {
            'path': ['domain', 'min'], 'was': 'declared.min', 'value': 'examples[1].value',
        }) }}
        when 'above_range' then {{ eiderdown.suggested_change('declared.model', 'feature', {
            'path': ['domain', 'max'], 'was': 'declared.max', 'value': 'examples[1].value',
        }) }}
    end as suggested_change
from {{ checks }} as checks
inner join judged using (relation, window_at)
inner join declared_relations using (relation)
left join declared_columns as declared using (relation, feature)
where broken_count > row_count * coalesce(declared.max_share, 0)
{%- endmacro %}


{# Drift is decided in monitoring.drift; here it is one more thing that breaks the schema. #}
{% macro drift_anomalies(drift) -%}
select
    relation, declared_relations.environment, window_at, feature, if(comparison = 'training', 'skew', 'drift'), 'warning', declared.lifecycle,
    format('differs from {} in this window and in the one before', array_to_string(list_sort(list(distinct comparison)), ' and '))
    || ' (' || array_to_string(list_sort(list(distinct format('{} {:.3g}, threshold {:.3g}', method, value, threshold))), '; ') || ')',
    json_object(
        'comparisons', to_json(list_sort(list(distinct comparison))),
        'methods', to_json(list({'method': method, 'slice': slice, 'value': value, 'threshold': threshold} order by slice, method)[:10])
    ),
    null
from {{ drift }} as drift
inner join judged using (relation, window_at)
inner join declared_relations using (relation)
left join declared_columns as declared using (relation, feature)
where is_drifted and coalesce(declared.is_validated, true)
group by relation, declared_relations.environment, window_at, feature, if(comparison = 'training', 'skew', 'drift'), declared.lifecycle
{%- endmacro %}


{# The rules on the number of rows; a window after the clock is judged by what says so alone. #}
{% macro window_anomalies(windows) -%}
{%- for rule in eiderdown.window_anomaly_rules() %}
select
    relation, environment, window_at, '(all)', '{{ rule.kind }}', '{{ rule.severity }}', null,
    {{ rule.text }},
    {{ rule.evidence }},
    {{ eiderdown.suggested_change('declared.model', 'null', rule) }}
from (
    select
        windows.*,
        previous_at is not null as had_rows,
        (select before.window_rows from windows as before where before.relation = windows.relation and before.window_at = windows.previous_at) as rows_before,
        declared,
        environment
    from windows
    inner join declared_relations as declared using (relation)
    where {{ rule.windows or windows }}
)
where {{ rule.when }}
{{ 'union all' if not loop.last }}
{%- endfor %}
{%- endmacro %}
