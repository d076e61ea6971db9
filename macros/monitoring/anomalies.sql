{#
    monitoring.anomalies: what breaks the schema of a monitored relation in a complete window; a row for each column and kind.

    drift: what ref('drift') returns, where the project has it: a feature that has drifted is an anomaly as well.

    A function of statistics, checks of values, drift and the schemas as they are now, all small: so the whole table is made by each run, and
    what a schema accepts is no anomaly any more. The relations themselves are not read (value_checks() does, once a window).
#}
{% macro anomalies(drift=none) -%}
    {{ return(adapter.dispatch('anomalies', 'eiderdown')(drift)) }}
{%- endmacro %}

{% macro default__anomalies(drift) -%}
{{ config(history=false) }}
{%- set statistics, checks, clock = ref('feature_statistics'), ref('value_checks'), ref('clock') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set nodes = eiderdown.monitored_nodes() -%}
{%- set complete, rules = [], [] -%}
{%- set schemas = eiderdown.declared_schemas(nodes) -%}
{%- for node in nodes -%}
    {%- set relation = node.schema ~ '.' ~ node.alias -%}
    {%- do complete.append(
        '(relation = ' ~ eiderdown.literal(relation) ~ ' and ' ~ eiderdown.window_end('window_at', eiderdown.monitored(node).every) ~ ' <= as_of)'
    ) -%}
    {%- for rule in eiderdown.rules_of(node, schemas['columns']) -%}
        {%- do rules.append([relation, rule.feature, rule.kind, rule.rule]) -%}
    {%- endfor -%}
{%- endfor -%}
{%- set current -%}
    (
        select checks.*
        from {{ checks }} as checks
        {#- A rule that is declared no more leaves its rows. #}
        where [relation, feature, kind, rule] in (
            {%- for rule in rules -%}
                [{% for part in rule %}{{ eiderdown.literal(part) }}{{ ', ' if not loop.last }}{% endfor %}]{{ ', ' if not loop.last }}
            {%- else -%} cast([] as varchar[])
            {%- endfor -%}
        )
    )
{%- endset -%}
{{ eiderdown.found_anomalies(
    schemas, statistics, current, drift, '(' ~ (complete | join(' or ') or 'false') ~ ')', '(select as_of from ' ~ clock ~ ')'
) }}
{%- endmacro %}
