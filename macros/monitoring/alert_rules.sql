{# Stop before anything runs where the rules of alerts cannot hold, with the rule, the field and the remedy. An on-run-start hook. #}
{% macro check_alerts() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == 'alerts' -%}
        {%- do eiderdown.alert_rules(node) -%}
    {%- endfor -%}
{% endmacro %}


{#
    The rules and deliveries of the node of monitoring.alerts, checked and completed: {rules, deliver}, as eiderdown_alert_rules
    (ml/alerts/declaration.py) answers. One that cannot hold is a compiler error.
#}
{% macro alert_rules(node) %}
    {%- set contracts = eiderdown.platform_contracts() -%}
    {%- set tables = {'builds': {
        'event_id': 'varchar', 'logged_at': 'timestamptz', 'is_success': 'boolean', 'selection': 'varchar[]', 'text': 'varchar'
    }} -%}
    {%- for id in node.depends_on.nodes if id in graph.nodes -%}
        {%- set table = graph.nodes[id].alias -%}
        {%- if table in ['anomalies', 'drift', 'model_performance', 'serving_consistency', 'event_files'] -%}
            {%- do tables.update({table: eiderdown.rendered_contract(contracts[table]).declared}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set asked = tojson({
        'where': node.schema ~ '.' ~ node.alias,
        'declared': (node.config.meta or {}).get('alerts'),
        'tables': tables,
    }) -%}
    {%- set answer = fromjson(run_query("select eiderdown_alert_rules(" ~ eiderdown.literal(asked) ~ ")").rows[0][0]) -%}
    {%- if answer.problems -%}{{ exceptions.raise_compiler_error(answer.problems) }}{%- endif -%}
    {{ return(answer) }}
{% endmacro %}


{#
    Keep what is to be delivered as `alerts/alerts.json` of the home folder: {as_of, deliver, build_rules, alerts}, of the
    alerts all that are open and the thousand that were resolved last. A post-hook of monitoring.alerts, after its commit:
    what a kill leaves out, the next run writes.
#}
{% macro show_alerts() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- set declared = eiderdown.alert_rules(graph.nodes[model.unique_id]) -%}
    {%- set build_rules = declared.rules | selectattr('table', 'equalto', 'builds') | list -%}
    {%- do run_query(
        "select eiderdown_keep_text(" ~ eiderdown.literal(eiderdown.home() ~ '/alerts/alerts.json') ~ ", cast(json_object("
        ~ "'as_of', (select cast(as_of as varchar) from " ~ ref('clock') ~ "), "
        ~ "'deliver', json(" ~ eiderdown.literal(tojson(declared.deliver)) ~ "), "
        ~ "'build_rules', json(" ~ eiderdown.literal(tojson(build_rules)) ~ "), "
        ~ "'alerts', (select coalesce(to_json(list(kept order by opened_at, alert)), json('[]')) from ("
        ~ "select * from " ~ this
        ~ " qualify resolved_at is null or row_number() over (order by resolved_at desc nulls last, alert) <= 1000) as kept)"
        ~ ") as varchar))"
    ) -%}
{% endmacro %}
