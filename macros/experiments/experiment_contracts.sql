{# The contracts of the tables of experiments, as platform_contracts() has them. #}
{% macro experiment_contracts() %}
    {%- set contracts -%}
experiments:
  primary_key: [experiment]
  columns:
    experiment: varchar not null
    model: varchar not null
    policy: varchar not null
    arms: json not null
    declared: json not null

experiment_states:
  primary_key: [event_id]
  columns:
    event_id: varchar not null
    logged_at: timestamptz not null
    experiment: varchar not null
    fingerprint: varchar not null
    endpoint: varchar not null
    policy: varchar not null
    status: varchar not null check (status in ('running', 'stopped', 'full'))
    reason: varchar
    weights: map(varchar, double) not null
    outcomes: map(varchar, double)
    mean_losses: map(varchar, double)
    is_current: boolean not null

experiment_predictions:
  primary_key: [event_id]
  columns:
    event_id: varchar not null
    experiment: varchar not null
    fingerprint: varchar not null
    endpoint: varchar not null
    policy: varchar
    arm: varchar not null
    role: varchar not null check (role in ('answer', 'member', 'ensemble', 'shadow'))
    instead_of: varchar
    unit: varchar not null
    probability: double
    weights: map(varchar, double)
    is_drawn_as_declared: boolean
    model: varchar not null
    version: integer not null
    release: varchar not null
    request_id: varchar not null
    place: integer not null
    predicted_at: timestamptz not null
    logged_at: timestamptz not null
    seconds: double
    score: double
    label: boolean
    probabilities: map(varchar, double)
    loss_kind: varchar
    loss_scale: double
    outcome: varchar
    loss: double

experiment_arms:
  primary_key: [experiment, fingerprint, arm]
  columns:
    experiment: varchar not null
    fingerprint: varchar not null
    arm: varchar not null
    endpoint: varchar not null
    policy: varchar
    role: varchar
    is_control: boolean not null
    models: varchar[] not null
    units: bigint not null
    requests: bigint not null
    predictions: bigint not null
    outcomes: bigint not null
    mean_loss: double
    low: double
    high: double
    seconds_p50: double
    seconds_p99: double
    failures: bigint not null
    misdrawn: bigint not null
    expected_share: double
    observed_share: double
    ratio_p_value: double
    is_ratio_ok: boolean
    first_at: timestamptz
    latest_at: timestamptz

experiment_effects:
  primary_key: [experiment, fingerprint, arm]
  columns:
    experiment: varchar not null
    fingerprint: varchar not null
    arm: varchar not null
    policy: varchar not null
    is_paired: boolean not null
    units: bigint not null
    outcomes: bigint not null
    control_outcomes: bigint not null
    mean_loss: double not null
    control_mean_loss: double not null
    difference: double not null
    low: double
    high: double
    p_value: double
    always_low: double
    always_high: double
    is_better: boolean not null
    is_worse: boolean not null
    {%- endset -%}
    {{ return(fromyaml(contracts)) }}
{% endmacro %}
