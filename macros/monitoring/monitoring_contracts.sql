{#
    The contracts of the tables of monitoring, as platform_contracts() has them.

    A `window_at` is the begin of a window of `at` of the relation's declaration, UTC; `slice` is 'all' or 'column=value'.
#}
{% macro monitoring_contracts() %}
    {%- set contracts -%}
monitored_relations:
  primary_key: [relation]
  columns:
    relation: varchar not null
    '"at"': varchar not null
    every: varchar not null check (every in ('hour', 'day', 'week', 'month'))
    slices: varchar[] not null
    model: varchar
    comparisons: varchar[] not null
    reference_from: timestamptz
    reference_to: timestamptz
    training_relation: varchar

feature_statistics:
  primary_key: [relation, window_at, slice, feature]
  columns:
    relation: varchar not null
    window_at: timestamptz not null
    slice: varchar not null
    feature: varchar not null
    type: varchar not null
    row_count: bigint not null
    missing_count: bigint not null
    nan_count: bigint not null
    infinite_count: bigint not null
    zero_count: bigint not null
    distinct_count: bigint not null
    mean: double
    stddev: double
    min: varchar
    max: varchar
    quantiles: map(double, double) not null
    histogram: "struct(low double, high double, row_count bigint)[] not null"
    quantile_histogram: "struct(low double, high double, row_count bigint)[] not null"
    top_values: "struct(value varchar, row_count bigint)[] not null"
    least_length: bigint
    mean_length: double
    greatest_length: bigint
    distinct_registers: utinyint[] not null
    content: varchar not null
    computed_at: timestamptz not null

value_checks:
  primary_key: [relation, window_at, feature, kind]
  columns:
    relation: varchar not null
    window_at: timestamptz not null
    feature: varchar not null
    kind: varchar not null
    rule: varchar not null
    computed_at: timestamptz not null
    row_count: bigint not null
    broken_count: bigint not null
    examples: "struct(value varchar, row_count bigint)[] not null"
    value_counts: map(varchar, bigint) not null

anomalies:
  primary_key: [relation, environment, window_at, feature, kind]
  columns:
    relation: varchar not null
    environment: varchar not null
    window_at: timestamptz not null
    feature: varchar not null
    kind: varchar not null
    severity: varchar not null check (severity in ('error', 'warning'))
    text: varchar not null
    evidence: json not null
    suggested_change: json

drift:
  primary_key: [relation, comparison, window_at, slice, feature, method]
  columns:
    relation: varchar not null
    comparison: varchar not null check (comparison in ('reference', 'previous', 'training'))
    window_at: timestamptz not null
    slice: varchar not null
    feature: varchar not null
    method: varchar not null
    value: double
    threshold: double
    p_value: double check (p_value between 0 and 1)
    adjusted_p_value: double check (adjusted_p_value between 0 and 1)
    reference_count: bigint not null
    row_count: bigint not null
    is_beyond: boolean not null
    is_drifted: boolean not null
    evidence: json
    content: varchar not null

model_performance:
  primary_key: [model, version, window_at, slice, metric, basis]
  columns:
    model: varchar not null
    version: integer not null
    window_at: timestamptz not null
    slice: varchar not null
    metric: varchar not null
    basis: varchar not null check (basis in ('realised', 'estimated'))
    value: double
    low: double
    high: double
    row_count: bigint not null
    outcome_count: bigint not null
    unusable_count: bigint not null
    reference_value: double
    threshold: double
    is_degraded: boolean not null
    fingerprint: varchar not null

compared_predictions:
  primary_key: [event_id]
  columns:
    event_id: varchar not null
    model: varchar not null
    version: integer not null
    release: varchar not null
    predicted_at: timestamptz not null
    differences: "struct(feature varchar, kind varchar, served varchar, recomputed varchar)[] not null"

serving_consistency:
  primary_key: [model, version, window_at, feature]
  columns:
    model: varchar not null
    version: integer not null
    window_at: timestamptz not null
    feature: varchar not null
    compared_count: bigint not null
    mismatch_count: bigint not null
    missing_count: bigint not null
    extra_count: bigint not null
    example: json

alerts:
  primary_key: [alert]
  columns:
    alert: varchar not null
    rule: varchar not null
    severity: varchar not null check (severity in ('error', 'warning'))
    subject: varchar not null
    text: varchar not null
    evidence: json not null
    status: varchar not null check (status in ('open', 'acknowledged', 'resolved'))
    opened_at: timestamptz not null
    last_seen_at: timestamptz not null
    acknowledged_at: timestamptz
    acknowledged_by: varchar
    note: varchar
    resolved_at: timestamptz

retraining:
  primary_key: [model, as_of, version]
  columns:
    model: varchar not null
    as_of: timestamptz not null
    version: integer not null
    decision: varchar not null check (decision in ('retrain', 'keep'))
    reasons: varchar[] not null
    text: varchar not null
    evidence: json not null
    {%- endset -%}
    {{ return(fromyaml(contracts)) }}
{% endmacro %}
