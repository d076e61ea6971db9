{# The contracts of the tables of events, as platform_contracts() has them. #}
{% macro event_contracts() %}
    {%- set contracts -%}
event_files:
  primary_key: [kind, file]
  columns:
    kind: varchar not null
    file: varchar not null
    size_bytes: bigint not null
    line_count: bigint not null
    event_count: bigint not null
    torn_count: bigint not null
    first_logged_at: timestamptz
    last_logged_at: timestamptz

prediction_log:
  primary_key: [event_id]
  columns:
    event_id: varchar not null
    request_id: varchar not null
    logged_at: timestamptz not null
    model: varchar not null
    version: integer not null
    release: varchar not null
    predicted_at: timestamptz not null
    instance: json not null
    features: json not null
    status: varchar not null
    missing: varchar[] not null
    score: double
    label: boolean
    probabilities: map(varchar, double)
    class: varchar
    place: integer
    assignment: "struct(experiment varchar, fingerprint varchar, endpoint varchar, arm varchar, role varchar, instead_of varchar, unit varchar, probability double, seconds double)"

feedback:
  primary_key: [model, request_id, instance]
  columns:
    model: varchar not null
    request_id: varchar not null
    instance: integer not null check (instance >= 0)
    outcome: varchar not null
    observed_at: timestamptz not null
    logged_at: timestamptz not null
    event_id: varchar not null
    outcome_count: bigint not null
    outcomes: "struct(event_id varchar, outcome varchar, observed_at timestamptz, logged_at timestamptz)[] not null"

pushed_rows:
  primary_key: [event_id]
  columns:
    event_id: varchar not null
    logged_at: timestamptz not null
    view: varchar not null
    version: integer not null
    row: json not null
    problem: varchar

expert_labels:
  primary_key: [task, row_id]
  columns:
    task: varchar not null
    row_id: varchar not null
    label: varchar not null
    labelled_by: varchar not null
    labelled_at: timestamptz not null
    logged_at: timestamptz not null
    event_id: varchar not null
    {%- endset -%}
    {{ return(fromyaml(contracts)) }}
{% endmacro %}
