{#
    The rules of schemas that only the rows can tell, since statistics do not hold every value: domains, and, where no table enforces
    them, checks and the primary key.

    relation: schema.table. columns: rows of declared_schemas(). types: {column: type} of the table as it stands; a column that it lacks,
    or has with another type, has no rule, since that is an anomaly of its own. checks: [{feature, expression}]; key: columns.

    Returns [{feature, kind, rule, value, broken, present, largest_first, max_share}]: `value` is the SQL of what is shown of a row,
    `present` and `broken` are conditions.
#}
{% macro row_rules(relation, columns, types, checks=[], key=[]) %}
    {%- set rules = [] -%}
    {%- for column in columns if column.relation == relation and column.is_validated -%}
        {%- set name = eiderdown.quoted(column.feature) -%}
        {%- set rule = {
            'feature': column.feature, 'value': name, 'present': name ~ ' is not null', 'max_share': column.max_share, 'order': 'row_count desc',
        } -%}
        {%- if column.feature in types and (column.type is none or column.type == types[column.feature]) -%}
            {%- if column['values'] -%}
                {%- set listed = column['values'] | map('string') | list -%}
                {%- set literals = [] -%}
                {%- for value in listed -%}{%- do literals.append(eiderdown.literal(value)) -%}{%- endfor -%}
                {%- do rules.append(dict(rule, kind='out_of_domain', rule='in (' ~ literals | join(', ') ~ ')',
                    broken='cast(' ~ name ~ ' as varchar) not in (' ~ literals | join(', ') ~ ')')) -%}
            {%- endif -%}
            {%- if column.pattern -%}
                {%- do rules.append(dict(rule, kind='pattern', rule='like ' ~ column.pattern,
                    broken='not regexp_full_match(' ~ name ~ ', ' ~ eiderdown.literal(column.pattern) ~ ')')) -%}
            {%- endif -%}
            {%- set finite = 'isfinite(' ~ name ~ ') and ' if types[column.feature] in ['DOUBLE', 'FLOAT'] else '' -%}
            {%- if column.min is not none -%}
                {%- do rules.append(dict(rule, kind='below_range', rule='>= ' ~ column.min, order='value',
                    broken=finite ~ name ~ ' < ' ~ column.min)) -%}
            {%- endif -%}
            {%- if column.max is not none -%}
                {%- do rules.append(dict(rule, kind='above_range', rule='<= ' ~ column.max, order='value desc',
                    broken=finite ~ name ~ ' > ' ~ column.max)) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for check in checks -%}
        {%- do rules.append({
            'feature': check.feature, 'kind': 'check', 'rule': check.expression, 'present': 'true', 'max_share': 0.0, 'order': 'row_count desc',
            'value': eiderdown.quoted(check.feature) if check.feature in types else "'(a row)'",
            'broken': 'coalesce(not (' ~ check.expression ~ '), false)',
        }) -%}
    {%- endfor -%}
    {%- if key -%}
        {%- set names = [] -%}
        {%- for column in key -%}{%- do names.append('cast(' ~ eiderdown.quoted(column) ~ ' as varchar)') -%}{%- endfor -%}
        {%- do rules.append({
            'feature': '(all)', 'kind': 'duplicate_key', 'rule': 'unique (' ~ key | join(', ') ~ ')', 'present': 'true', 'max_share': 0.0,
            'value': "concat_ws(', ', " ~ names | join(', ') ~ ')', 'broken': 'true', 'order': 'row_count desc',
        }) -%}
    {%- endif -%}
    {{ return(rules) }}
{% endmacro %}


{#
    What the rows of windows say to a rule, a row for each window: relation, window_at, feature, kind, rule, computed_at,
    row_count (of the values that are there), broken_count, examples (up to 101 values with their rows, the farthest out or the most frequent
    first) and value_counts (of the values of a domain).

    relation: its name. rows: SQL of the rows of these windows, with `window_at` and `computed_at`; rule: of row_rules().
#}
{% macro checked_rows(relation, rows, rule) -%}
    {{ return(adapter.dispatch('checked_rows', 'eiderdown')(relation, rows, rule)) }}
{%- endmacro %}

{% macro default__checked_rows(relation, rows, rule) -%}
select
    {{ eiderdown.literal(relation) }} as relation,
    window_at,
    {{ eiderdown.literal(rule.feature) }} as feature,
    {{ eiderdown.literal(rule.kind) }} as kind,
    {{ eiderdown.literal(rule.rule) }} as rule,
    max(computed_at) as computed_at,
    cast(sum(row_count) as bigint) as row_count,
    cast(coalesce(sum(broken_count), 0) as bigint) as broken_count,
    coalesce(
        list({'value': cast(value as varchar), 'row_count': broken_count} order by place) filter (broken_count > 0 and place <= 101), []
    ) as examples,
    map_from_entries(coalesce(
        list((cast(value as varchar), row_count) order by value) filter (
            {{ 'broken_count = 0 and value is not null' if rule.kind == 'out_of_domain' else 'false' }}
        ), []
    )) as value_counts
from (
    select *, row_number() over (partition by window_at, broken_count > 0 order by {{ rule.order }}, value) as place
    from (
        select
            window_at,
            computed_at,
            {#- Grouped by value only where it is shown. #}
            case when {{ 'true' if rule.kind in ['out_of_domain', 'duplicate_key'] else rule.broken }} then {{ rule.value }} end as value,
            count(*) filter ({{ rule.present }}) as row_count,
            {{ 'count(*) - 1' if rule.kind == 'duplicate_key' else 'count(*) filter (' ~ rule.present ~ ' and ' ~ rule.broken ~ ')' }} as broken_count
        from ({{ rows }})
        group by all
    )
)
group by window_at
{%- endmacro %}
