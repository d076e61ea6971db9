{#
    monitoring.value_checks: what the rows of complete windows say to the rules of the schemas that statistics cannot tell: domains,
    and checks and keys that no table enforces. A row for each relation, window and rule.

    Only windows are read that are new, whose statistics were computed again since, or whose rule has changed.
#}
{% macro value_checks() -%}
    {{ return(adapter.dispatch('value_checks', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__value_checks() -%}
{{ config(mutable=['rule', 'computed_at', 'row_count', 'broken_count', 'examples', 'value_counts']) }}
{%- set statistics, clock = ref('feature_statistics'), ref('clock') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set nodes = eiderdown.monitored_nodes() -%}
{%- set schemas = eiderdown.declared_schemas(nodes) -%}
{%- set scans = [eiderdown.no_checks()] -%}
{%- for node in nodes -%}
    {%- set declared = eiderdown.monitored(node) -%}
    {%- set rules = eiderdown.rules_of(node, schemas['columns']) -%}
    {%- set unread = eiderdown.unread_windows(declared, rules, statistics, clock) if rules else {} -%}
    {%- for place, windows in unread.items() -%}
        {%- set moments = [] -%}
        {%- for window in windows -%}{%- do moments.append('make_timestamptz(' ~ window ~ ')') -%}{%- endfor -%}
        {%- set rows -%}
            select rows.*, window_at, computed_at
            from {{ node.relation_name }} as rows
            inner join (
                select window_at, max(computed_at) as computed_at
                from {{ statistics }}
                where relation = {{ eiderdown.literal(declared.relation) }} and window_at in ({{ moments | join(', ') }})
                group by window_at
            ) as read_windows on window_at = {{ eiderdown.window_of('rows.' ~ declared.at, declared.every) }}
            where rows.{{ declared.at }} >= {{ moments | first }}
                and rows.{{ declared.at }} < {{ eiderdown.window_end(moments | last, declared.every) }}
        {%- endset -%}
        {%- do scans.append(eiderdown.checked_rows(declared.relation, rows, rules[place])) -%}
    {%- endfor -%}
{%- endfor -%}
{{ scans | join('\nunion all\n') }}
{%- endmacro %}


{# The rules on rows of a monitored node, as row_rules() has them. Checks and keys are those of a contract that its table does not enforce. #}
{% macro rules_of(node, columns) %}
    {%- set relation = node.schema ~ '.' ~ node.alias -%}
    {%- set table = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
    {%- set types = eiderdown.recorded_states([table])[relation].columns -%}
    {%- set model_name = (node.config.meta.monitor or {}).model -%}
    {%- set declaring = eiderdown.dataset_node_of(model_name) if model_name else node -%}
    {%- set is_enforced = not model_name and node.config.contract.enforced -%}
    {%- set checks = [] if is_enforced else eiderdown.declared_checks(declaring, types) -%}
    {%- set key = [] if is_enforced else eiderdown.primary_key(declaring) -%}
    {%- set lacking = key | reject('in', types) | list -%}
    {{ return(eiderdown.row_rules(relation, columns, types, checks, [] if lacking else key)) }}
{% endmacro %}


{#
    The check constraints of a node, those of one column together: [{feature, expression}]. A check that speaks of a column of the node
    which `types` lacks is left out. feature: '(all)' for those of the table.
#}
{% macro declared_checks(node, types) %}
    {%- set found = {} -%}
    {%- for column in node.columns.values() -%}
        {%- for constraint in column.constraints if constraint.type == 'check' -%}
            {%- do found.setdefault(column.name, []).append(constraint.expression) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for constraint in node.constraints if constraint.type == 'check' -%}
        {%- do found.setdefault('(all)', []).append(constraint.expression) -%}
    {%- endfor -%}
    {%- set checks = [] -%}
    {%- for feature, expressions in found.items() -%}
        {%- set whole = [] -%}
        {%- for expression in expressions -%}
            {%- set lacking = [] -%}
            {%- for name in node.columns if name not in types and modules.re.search('\\b' ~ name ~ '\\b', expression) -%}
                {%- do lacking.append(name) -%}
            {%- endfor -%}
            {%- if not lacking -%}{%- do whole.append(expression) -%}{%- endif -%}
        {%- endfor -%}
        {%- if whole -%}
            {%- do checks.append({'feature': feature, 'expression': whole[0] if whole | length == 1 else '(' ~ whole | join(') and (') ~ ')'}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(checks) }}
{% endmacro %}


{# The complete windows that a rule has not read, {place of the rule: [begin in microseconds, in order]}; by one query. #}
{% macro unread_windows(declared, rules, statistics, clock) %}
    {%- set is_there = load_relation(this) is not none -%}
    {%- set query -%}
        select place, string_agg(epoch_us(window_at), ',' order by window_at) as windows
        from (
            select window_at, max(computed_at) as computed_at
            from {{ statistics }}
            where relation = {{ eiderdown.literal(declared.relation) }} and row_count > 0
            group by window_at
        ) as profiled
        cross join (
            values {% for rule in rules -%}
                ({{ loop.index0 }}, {{ eiderdown.literal(rule.feature) }}, {{ eiderdown.literal(rule.kind) }}, {{ eiderdown.literal(rule.rule) }}){{ ', ' if not loop.last }}
            {%- endfor %}
        ) as rules (place, feature, kind, rule)
        where {{ eiderdown.window_end('window_at', declared.every) }} <= (select as_of from {{ clock }})
            {%- if is_there %}
            and not exists (
                from {{ this }} as read
                where read.relation = {{ eiderdown.literal(declared.relation) }}
                    and read.window_at = profiled.window_at
                    and read.computed_at = profiled.computed_at
                    and read.feature = rules.feature
                    and read.kind = rules.kind
                    and read.rule = rules.rule
            )
            {%- endif %}
        group by place
        order by place
    {%- endset -%}
    {%- set unread = {} -%}
    {%- for row in run_query(query).rows -%}
        {%- do unread.update({row[0] | int: row[1].split(',')}) -%}
    {%- endfor -%}
    {{ return(unread) }}
{% endmacro %}
