{#
    The contracts of the platform's own tables, so that a project's registry models can be one line each.

    A column is `name: type` with `not null` and `check (…)` behind it as in a CREATE TABLE. Those of events and of monitoring
    are in event_contracts() and monitoring_contracts(), those of experiments in experiment_contracts(), those of label models in
    label_contracts().
#}
{% macro platform_contracts() %}
    {%- set contracts -%}
feature_views:
  primary_key: [view, version]
  columns:
    view: varchar not null
    version: integer not null check (version > 0)
    kind: varchar not null check (kind in ('stored', 'request'))
    status: varchar not null check (status in ('active', 'deprecated', 'retired'))
    relation: varchar not null
    description: varchar
    owner: varchar
    tags: varchar[] not null
    entity: varchar[] not null
    event_at: varchar
    known_at: varchar
    ttl: interval
    online: boolean not null
    inputs: map(varchar, varchar) not null
    columns: map(varchar, varchar) not null
    column_descriptions: map(varchar, varchar) not null
    fingerprint: varchar not null
    canonical_sql: varchar not null
    definition: json not null
    changes: json not null
    used_by: varchar[] not null
    row_count: bigint not null
    entity_count: bigint not null
    first_event_at: timestamptz
    latest_event_at: timestamptz
    latest_known_at: timestamptz
    statistics: "map(varchar, struct(null_count bigint, distinct_count bigint, min varchar, max varchar, mean double)) not null"
    deprecation_date: timestamptz
    created_at: timestamptz not null
    invocation_id: varchar not null

feature_lineage:
  primary_key: [view, version, '"column"', source_relation, source_column]
  columns:
    view: varchar not null
    version: integer not null
    '"column"': varchar not null
    source_relation: varchar not null
    source_column: varchar not null
    usage: varchar not null check (usage in ('value', 'condition', 'unknown'))
    depth: integer not null
    is_source: boolean not null

feature_usage:
  primary_key: [view, version, '"column"', kind, name, name_version]
  columns:
    view: varchar not null
    version: integer not null
    '"column"': varchar not null
    kind: varchar not null check (kind in ('dataset', 'model'))
    name: varchar not null
    name_version: integer not null
    aliases: varchar[] not null

datasets:
  primary_key: [dataset, version]
  columns:
    dataset: varchar not null
    version: integer not null check (version > 0)
    fingerprint: varchar not null
    row_count: bigint not null
    label_sources: map(varchar, bigint)
    definition: json not null
    column_hashes: map(varchar, varchar) not null
    artifact: varchar not null
    artifact_sha256: varchar not null
    origin: varchar
    created_at: timestamptz not null
    invocation_id: varchar not null

model_versions:
  primary_key: [model, version]
  columns:
    model: varchar not null
    version: integer not null check (version > 0)
    created_at: timestamptz not null
    reason: varchar not null
    estimator: varchar not null
    task: varchar not null
    target: varchar not null
    dataset: varchar not null
    dataset_version: integer not null
    feature_fingerprint: varchar not null
    code_fingerprint: varchar not null
    training_fingerprint: varchar not null
    inputs: json not null
    declaration: json not null
    params: json not null
    seed: integer not null
    row_counts: map(varchar, bigint) not null
    label_sources: map(varchar, bigint)
    learning_curve: map(varchar, double[]) not null
    signature: json not null
    canary: json not null
    baseline: json
    artifact_format: varchar not null
    artifact: varchar not null
    artifact_sha256: varchar not null
    libraries: map(varchar, varchar) not null
    origin: varchar
    invocation_id: varchar not null

training_decisions:
  primary_key: [model]
  columns:
    model: varchar not null
    decision: varchar not null check (decision in ('trained', 'kept', 'skipped'))
    version: integer
    dataset: varchar not null
    dataset_version: integer not null
    reason: varchar not null
    serving: json not null

trials:
  primary_key: [study, trial]
  columns:
    model: varchar not null
    search: varchar not null
    study: varchar not null
    trial: integer not null
    dataset_version: integer not null
    estimator: varchar not null
    state: varchar not null check (state in ('complete', 'pruned', 'failed'))
    params: json not null
    metric: varchar not null
    value: double
    losses: map(integer, double) not null
    reason: varchar
    started_at: timestamptz not null
    finished_at: timestamptz not null
    seconds: double not null
    is_best: boolean not null

leaderboard:
  primary_key: [model, estimator]
  columns:
    model: varchar not null
    rank: integer not null
    estimator: varchar not null
    metric: varchar not null
    value: double
    params: json
    trials: bigint not null
    complete: bigint not null
    seconds: double not null
    is_best: boolean not null

model_reproductions:
  primary_key: [model, version, reproduced_at]
  columns:
    model: varchar not null
    version: integer not null
    reproduced_at: timestamptz not null
    outcome: varchar not null check (outcome in ('equal', 'different', 'impossible'))
    artifact_sha256: varchar not null
    found_sha256: varchar
    differences: varchar[] not null

scores:
  primary_key: &scores_key [model, version, dataset_version, row_id]
  columns: &scores_columns
    model: varchar not null
    version: integer not null
    dataset_version: integer not null
    row_id: varchar not null
    split: varchar not null check (split in ('train', 'validation', 'test'))
    slices: map(varchar, varchar) not null
    target: double
    score: double not null check (not isnan(score))
    baseline: double check (not isnan(baseline))
    threshold: double

scores_multiclass:
  primary_key: *scores_key
  columns:
    <<: *scores_columns
    target: varchar
    score: map(varchar, double) not null
    baseline: map(varchar, double)

model_metrics:
  primary_key: [model, version, dataset_version, split, slice, metric]
  columns:
    model: varchar not null
    version: integer not null
    dataset_version: integer not null
    split: varchar not null
    slice: varchar not null
    metric: varchar not null
    value: double
    low: double
    high: double
    baseline: double
    row_count: bigint not null

model_calibration:
  primary_key: [model, version, dataset_version, split, slice, bin]
  columns:
    model: varchar not null
    version: integer not null
    dataset_version: integer not null
    split: varchar not null
    slice: varchar not null
    bin: integer not null
    row_count: bigint not null
    low_score: double not null
    high_score: double not null
    mean_score: double not null
    mean_target: double not null

model_thresholds:
  primary_key: [model, version, dataset_version, split, slice, threshold]
  columns:
    model: varchar not null
    version: integer not null
    dataset_version: integer not null
    split: varchar not null
    slice: varchar not null
    threshold: double not null
    row_count: bigint not null
    true_positives: bigint not null
    false_positives: bigint not null
    true_negatives: bigint not null
    false_negatives: bigint not null
    precision: double not null
    recall: double not null
    false_positive_rate: double
    f1: double not null
    accuracy: double not null
    predicted_share: double not null
    lift: double

model_comparisons:
  primary_key: [model, version, champion, dataset_version, split, slice, metric]
  columns:
    model: varchar not null
    version: integer not null
    champion: integer not null
    dataset_version: integer not null
    split: varchar not null
    slice: varchar not null
    metric: varchar not null
    value: double
    champion_value: double
    difference: double
    low: double
    high: double
    row_count: bigint not null

decisions:
  primary_key: [event_id]
  columns:
    event_id: varchar not null
    decided_at: timestamptz not null
    kind: varchar not null check (kind in ('promote', 'rollback', 'import', 'describe'))
    model: varchar not null
    version: integer not null
    decided_by: varchar not null
    alias: varchar check ((alias is not null and reason is not null) or kind = 'describe')
    previous: integer
    reason: varchar
    description: varchar
    tags: varchar[]
    origin: varchar
    model_record: json
    dataset_record: json

promotion_checks:
  primary_key: [model, version, champion, dataset_version, rule]
  columns:
    model: varchar not null
    version: integer not null
    champion: integer not null
    dataset_version: integer not null
    rule: varchar not null check (rule in ('gain', 'interval', 'slices', 'calibration'))
    value: double
    bound: double not null
    is_passed: boolean not null
    text: varchar not null

feature_importance:
  primary_key: [model, version, feature, method]
  columns:
    model: varchar not null
    version: integer not null
    feature: varchar not null
    method: varchar not null check (method in ('contribution', 'permutation'))
    value: double not null

partial_dependence:
  primary_key: [model, version, feature, class, place]
  columns:
    model: varchar not null
    version: integer not null
    feature: varchar not null
    class: varchar not null
    place: integer not null
    value: varchar
    mean_score: double not null

model_aliases:
  primary_key: [model, alias, since]
  columns:
    model: varchar not null
    alias: varchar not null
    version: integer not null
    since: timestamptz not null
    reason: varchar not null
    decided_by: varchar not null
    event_id: varchar

current_aliases:
  primary_key: [model, alias]
  columns:
    model: varchar not null
    alias: varchar not null
    version: integer not null
    since: timestamptz not null
    reason: varchar not null
    decided_by: varchar not null

version_notes:
  primary_key: [model, version]
  columns:
    model: varchar not null
    version: integer not null
    description: varchar
    tags: varchar[] not null
    since: timestamptz not null

predictions_regression:
  primary_key: &predictions_key [model, row_id]
  columns: &predictions_columns
    model: varchar not null
    version: integer not null
    row_id: varchar not null
    predicted_at: timestamptz not null
    score: double not null
    status: varchar not null check (status in ('ok', 'incomplete'))
    missing: varchar[] not null

predictions_binary:
  primary_key: *predictions_key
  columns:
    <<: *predictions_columns
    label: boolean not null

predictions_multiclass:
  primary_key: *predictions_key
  columns:
    <<: *predictions_columns
    score: map(varchar, double) not null
    label: varchar not null

contributions:
  primary_key: [model, row_id, feature]
  columns:
    model: varchar not null
    version: integer not null
    row_id: varchar not null
    feature: varchar not null
    contribution: double not null

releases:
  primary_key: [release]
  columns:
    release: varchar not null
    as_of: timestamptz not null
    created_at: timestamptz not null
    views: map(varchar, bigint) not null
    models: map(varchar, integer[]) not null
    invocation_id: varchar not null
    {%- endset -%}
    {%- set all = fromyaml(contracts) -%}
    {%- do all.update(eiderdown.event_contracts()) -%}
    {%- do all.update(eiderdown.experiment_contracts()) -%}
    {%- do all.update(eiderdown.monitoring_contracts()) -%}
    {%- do all.update(eiderdown.label_contracts()) -%}
    {{ return(all) }}
{% endmacro %}


{#
    The platform's contract for a node: {declared: {name: type}, nullable: [name], ddl, primary_key}.

    A node is such a table by its name (registry.datasets) or, for training and batch predictions, by what it declares:
    config.meta.model, trials, leaderboard, label_model, scores or predictions.
#}
{% macro platform_contract(node) %}
    {%- set meta = node.config.meta or {} -%}
    {%- set contracts = eiderdown.platform_contracts() -%}
    {%- set table = 'model_versions' if 'model' in meta else node.alias -%}
    {%- for kind in ['trials', 'leaderboard', 'contributions', 'label_model'] if kind in meta -%}
        {{ return(eiderdown.rendered_contract(contracts[kind])) }}
    {%- endfor -%}
    {%- for kind in ['scores', 'predictions'] if kind in meta -%}
        {#- A task whose rows differ has a contract of its own. #}
        {%- set task = eiderdown.task_of_scores(node) if kind == 'scores' else eiderdown.task_of(meta[kind].model) -%}
        {%- set of_task = kind ~ '_' ~ task -%}
        {{ return(eiderdown.rendered_contract(contracts[of_task if of_task in contracts else kind])) }}
    {%- endfor -%}
    {%- if table not in contracts -%}
        {{ exceptions.raise_compiler_error(
            node.schema ~ "." ~ node.alias ~ ": a registered table needs a contract; give its columns in YAML, each with "
            ~ "data_type, and a primary key"
        ) }}
    {%- endif -%}
    {{ return(eiderdown.rendered_contract(contracts[table])) }}
{% endmacro %}


{% macro rendered_contract(contract) %}
    {%- set declared, nullable = {}, [] -%}
    {%- set lines = [] -%}
    {%- for name, definition in contract.columns.items() -%}
        {%- if ' not null' not in definition and name not in contract.primary_key -%}{%- do nullable.append(name) -%}{%- endif -%}
        {%- do declared.update({name: modules.re.split(' not null| check ', definition)[0]}) -%}
        {%- do lines.append(name ~ ' ' ~ definition) -%}
    {%- endfor -%}
    {%- do lines.append('primary key (' ~ contract.primary_key | join(', ') ~ ')') -%}
    {{ return({'declared': declared, 'nullable': nullable, 'ddl': lines | join(', '), 'primary_key': contract.primary_key}) }}
{% endmacro %}


{# What the project's model of a name learns: its config.meta.model.task. #}
{% macro task_of(model_name) %}
    {{ return(eiderdown.node_of_model(model_name).config.meta.model.task) }}
{% endmacro %}


{# The node that trains the project's model of a name. #}
{% macro node_of_model(model_name) %}
    {%- set names = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and 'model' in (node.config.meta or {}) -%}
        {%- if node.alias == model_name -%}{{ return(node) }}{%- endif -%}
        {%- do names.append(node.alias) -%}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        model.name ~ ": there is no model '" ~ model_name ~ "'; the models are " ~ names | join(', ')
    ) }}
{% endmacro %}
