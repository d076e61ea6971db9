{#
    monitoring.alerts: one row for each alert, from when its rule began to hold of a subject until it holds no longer.

    tables: what ref() returns for the tables of monitoring that rules are about: anomalies, drift, model_performance,
    serving_consistency, event_files; and for feature_statistics, which knows the windows that have no anomaly. Builds that
    failed are events, and always there. A table that is not built yet has no rows.

    The rules stand in the YAML of the node, under config.meta.alerts, and are the defaults of ml/alerts/declaration.py where
    none do:

        rules:
          - name: much_drift
            table: drift                    # a table of monitoring, or builds
            where: is_drifted and value > 2 * threshold    # SQL over its row, and as_of
            subject: relation || '.' || feature            # SQL; rows of one subject and window are one alert
            text: method || ' ' || value                   # SQL; what people read
            severity: warning               # or error, the default
            for_windows: 2                  # so many windows in a row
        deliver: [{file: alerts.jsonl}, {webhook: {url_env: EIDERDOWN_ALERT_WEBHOOK}, min_severity: error}]

    alert_life() says when an alert opens and ends. What is to be delivered is left in `alerts/alerts.json` of the home folder
    (show_alerts()), which can be read while dbt holds the warehouse.
#}
{% macro alerts(tables) -%}
    {{ return(adapter.dispatch('alerts', 'eiderdown')(tables)) }}
{%- endmacro %}

{% macro default__alerts(tables) -%}
{{ config(
    mutable=[
        'severity', 'text', 'evidence', 'status', 'last_seen_at', 'acknowledged_at', 'acknowledged_by', 'note', 'resolved_at'
    ],
    post_hook=after_commit("{{ eiderdown.show_alerts() }}"),
) }}
{%- set clock, builds, acknowledgements = ref('clock'), source('events', 'builds'), source('events', 'acknowledgements') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set relations = {'builds': '(select * from ' ~ builds ~ ' where ' ~ eiderdown.is_event('builds') ~ ')'} -%}
{%- for table in tables -%}
    {%- set is_built = load_relation(table) is not none -%}
    {%- do relations.update({table.identifier: table if is_built else eiderdown.no_rows_of(table.identifier)}) -%}
{%- endfor -%}
{%- set windows = {} -%}
{%- for node in eiderdown.monitored_nodes() -%}
    {%- set declared = eiderdown.monitored(node) -%}
    {%- do windows.update({declared.relation: declared.every}) -%}
    {%- if declared.model -%}{%- do windows.update({declared.model: declared.every}) -%}{%- endif -%}
{%- endfor -%}
{{ eiderdown.alert_life(
    eiderdown.alert_rules(graph.nodes[model.unique_id]).rules,
    relations,
    windows,
    clock,
    this if load_relation(this) is not none else eiderdown.no_rows_of('alerts'),
    '(select * from ' ~ acknowledgements ~ ' where ' ~ eiderdown.is_event('acknowledgements') ~ ')',
) }}
{%- endmacro %}


{# A relation with the columns of a table of the platform, and no rows. #}
{% macro no_rows_of(table) -%}
    ({{ eiderdown.no_rows(table) }})
{%- endmacro %}
