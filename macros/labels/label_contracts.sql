{# The contracts of the tables of label models, by what a node declares; platform_contracts() has the others. #}
{% macro label_contracts() %}
    {%- set contracts -%}
label_model:
  primary_key: [task, version]
  columns:
    task: varchar not null
    version: integer not null check (version > 0)
    created_at: timestamptz not null
    reason: varchar not null
    method: varchar not null
    functions: varchar[] not null
    classes: varchar[] not null
    functions_fingerprint: varchar not null
    inputs: json not null
    training_fingerprint: varchar not null
    row_count: bigint not null
    pattern_count: bigint not null
    gold_count: bigint not null
    class_balance: map(varchar, double) not null
    accuracies: map(varchar, double) not null
    dependencies: varchar[][] not null
    parameters: json not null
    invocation_id: varchar not null
    {%- endset -%}
    {{ return(fromyaml(contracts)) }}
{% endmacro %}
