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
