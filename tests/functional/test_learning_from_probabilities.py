"""Models that learn from probabilities, in a dataset whose target is mostly unknown: from the YAML to metrics and commands."""

import json
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from eiderdown.cli import app
from eiderdown.commands.model_pages import print_version
from ml.registry.models import kept_models
from ml.registry.reports import describe
from tests.conftest import Project, copy_machines
from tests.tuned import drop_other_models

SPINE = """with spine as (
    select
        machine_id || '@' || epoch(read_at)::bigint as reading,
        machine_id,
        'day' as shift,
        read_at - interval 6 hours as predicted_at,
        -- Few know what came.
        if(hash(machine_id, read_at) % 4 = 0, stopped, null) as stopped,
        least((temperature - 60) / 20, 1) as chance,
        case when hash(read_at) % 5 > 0 then map {'true': chance, 'false': 1 - chance} end as stopped_probabilities,
        case when stopped_probabilities is null then null when machine_id % 2 = 0 then 'expert' else 'functions' end as source,
        if(hash(machine_id, read_at) % 4 = 0, if(stopped, 'stopped', if(temperature > 72, 'hot', 'normal')), null) as next_state,
        (1 - chance) * (hash(machine_id) % 10) / 10 as hot,
        case when hash(read_at) % 5 > 0 then map {'stopped': chance, 'hot': hot, 'normal': 1 - chance - hot} end
            as state_probabilities
    from {{ ref('readings') }}
)
"""
DATASET = """models:
  - name: stops
    config:
      meta:
        dataset:
          row_id: reading
          at: predicted_at
          request: [machine_id, shift]
          labels: [stopped, stopped_probabilities, source, next_state, state_probabilities, chance, hot]
          label_source: source
    constraints: [{type: primary_key, columns: [reading]}]
    columns:
      - {name: reading, data_type: varchar}
      - {name: machine_id, data_type: bigint, constraints: [{type: not_null}]}
      - {name: shift, data_type: varchar}
      - {name: predicted_at, data_type: timestamptz, constraints: [{type: not_null}]}
      - {name: stopped, data_type: boolean}
      - {name: chance, data_type: double}
      - {name: hot, data_type: double}
      - {name: stopped_probabilities, data_type: "map(varchar, double)"}
      - {name: source, data_type: varchar}
      - {name: next_state, data_type: varchar}
      - {name: state_probabilities, data_type: "map(varchar, double)"}
      - {name: temperature, data_type: double}
      - {name: mean_temperature, data_type: double}
      - {name: is_heating, data_type: boolean}
"""
TRAINING = """models:
  - name: will_stop
    config:
      meta:
        model:
          task: binary
          dataset: stops
          target: stopped
          learn_from: {probabilities: stopped_probabilities, as: soft_targets}
          estimator: lightgbm
          parameters: {num_boost_round: 20}
          features: {exclude: [machine_id]}
          promote: {metric: log_loss, max_calibration_error: 1}
  - name: will_stop_scores
    config: {meta: {scores: {model: will_stop}}}
  - name: next_state
    config:
      meta:
        model:
          task: multiclass
          dataset: stops
          target: next_state
          learn_from: {probabilities: state_probabilities, as: sample_weights}
          estimator: linear
          features: {exclude: [machine_id]}
  - name: next_state_scores
    config: {meta: {scores: {model: next_state}}}
"""


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_machines(tmp_path_factory.mktemp("labelled") / "machines")
    models = project.folder / "models"
    kept = {name: (models / "training" / name).read_text() for name in ("next_state.py", "next_state_scores.py")}
    drop_other_models(project)
    for name, text in kept.items():
        (models / "training" / name).write_text(text)
    for name, other in (("model_versions", "next_state"), ("model_metrics", "next_state_scores")):
        path = models / "registry" / f"{name}.sql"
        path.write_text(path.read_text().replace("])", f", ref('{other}')])"))
    readings = models / "staging" / "readings.sql"
    readings.write_text(readings.read_text().replace("range(120)", "range(12)").replace("range(600)", "range(200)"))
    stops = models / "datasets" / "stops.sql"
    stops.write_text(SPINE + stops.read_text().partition("from {{ ref('readings') }}\n)\n")[2])
    (models / "datasets" / "datasets.yml").write_text(DATASET)
    (models / "training" / "training.yml").write_text(TRAINING)
    for path in (*(models / "monitoring").iterdir(), *(models / "experiments").iterdir()):
        path.unlink()
    (models / "registry" / "releases.py").unlink()
    (models / "registry" / "partial_dependence.py").unlink()
    project.dbt("deps")
    project.dbt("run")
    return project


def test_rows_without_probabilities_are_not_learned_from_and_sources_are_counted(labelled: Project) -> None:
    of_dataset = dict(labelled.query("select coalesce(source, 'none'), count(*) from datasets.stops group by all"))
    assert of_dataset.keys() == {"expert", "functions", "none"}
    assert labelled.query("select label_sources from registry.datasets") == [(of_dataset,)]
    for model, column in (("will_stop", "stopped_probabilities"), ("next_state", "state_probabilities")):
        learned = f"""
            from training.{model}_scores as scored
            inner join datasets.stops on scored.row_id = stops.reading
            where {column} is not null and split <> 'test'
        """
        counts = dict(labelled.query(f"select split, count(*) {learned} group by all"))
        sources = dict(labelled.query(f"select source, count(*) {learned} group by all"))
        found = labelled.query(
            f"select row_counts, label_sources, inputs ->> '$.columns.{column}' from training.{model}"
        )
        assert {name: found[0][0][name] for name in counts} == counts
        assert found[0][1] == sources and sum(sources.values()) == sum(counts.values())
        assert found[0][2] is not None


def test_what_is_not_known_is_scored_and_not_measured(labelled: Project) -> None:
    for model in ("will_stop", "next_state"):
        counts = f"select split, count(*), count(target) from training.{model}_scores group by all order by split"
        for split, rows, known in labelled.query(counts):
            assert 0 < known < rows
            where = f"model = '{model}' and split = '{split}' and slice = 'all'"
            measured = labelled.query(f"select distinct row_count from registry.model_metrics where {where}")
            assert measured == [(known,)]
            assert labelled.query(f"select sum(row_count) from registry.model_calibration where {where}") == [(known,)]
            thresholds = f"select distinct row_count from registry.model_thresholds where {where}"
            assert labelled.query(thresholds) == ([(known,)] if model == "will_stop" else [])
        assert labelled.query(f"select count(*) from training.{model}_scores where score is null") == [(0,)]
    auc = "select value from registry.model_metrics where model = 'will_stop' and split = 'test' and metric = 'auc'"
    assert labelled.query(auc)[0][0] > 0.55
    methods = "select distinct model, method from registry.feature_importance order by all"
    assert labelled.query(methods) == [
        (model, method) for model in ("next_state", "will_stop") for method in ("contribution", "permutation")
    ]


def test_commands_show_the_mix_and_train_again(
    labelled: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(labelled.home))

    def run(*arguments: str) -> Any:
        answer = CliRunner().invoke(app, list(arguments))
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout) if "--json" in arguments else answer.output

    shown = run("datasets", "show", "stops", "--json")["label_sources"]
    assert f"expert {shown['expert']:,}, functions {shown['functions']:,}, none {shown['none']:,}" in run(
        "datasets", "show", "stops"
    )
    version = kept_models().find("will_stop@1")
    with duckdb.connect(str(labelled.database), read_only=True) as warehouse:
        print_version(describe(warehouse, version))
    learned = version.label_sources
    assert learned is not None
    assert f"labels      expert {learned['expert']:,}, functions {learned['functions']:,}\n" in capsys.readouterr().out
    for model in ("will_stop", "next_state"):
        assert run("reproduce", model, "1", "--json")["outcome"] == "equal"
    assert b"objective=cross_entropy" in (labelled.home / version.artifact).read_bytes()


def test_other_probabilities_are_learned_from_in_a_table_of_before(
    labelled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warehouse of an earlier version: without the new columns, and with targets that had to be known."""
    for table in ("registry.datasets", "registry.model_versions", "training.will_stop"):
        labelled.write(f"alter table {table} drop column label_sources")
    labelled.write("delete from training.will_stop_scores where target is null")
    labelled.write("alter table training.will_stop_scores alter column target set not null")
    stops = labelled.folder / "models" / "datasets" / "stops.sql"
    as_it_was = stops.read_text()
    stops.write_text(as_it_was.replace("map {'true': chance, 'false'", "map {'true': 0.9 * chance + 0.05, 'false'"))
    stops.write_text(stops.read_text().replace("'false': 1 - chance}", "'false': 0.95 - 0.9 * chance}"))
    labelled.dbt("run", "--select", "stops+")
    reasons = "select model, version, reason, label_sources is null from registry.model_versions order by all"
    assert labelled.query(reasons) == [
        ("next_state", 1, "first version", True),
        ("will_stop", 1, "first version", True),
        ("will_stop", 2, "columns changed: stopped_probabilities (learned from)", False),
    ]
    assert labelled.query("select version, label_sources is null from registry.datasets order by all") == [
        (1, True),
        (2, False),
    ]
    checks = "select count(*), count(value) from registry.promotion_checks where model = 'will_stop'"
    assert labelled.query(checks) == [(2, 2)]
    monkeypatch.setenv("EIDERDOWN_HOME", str(labelled.home))
    assert [version.label_sources is None for version in kept_models().versions] == [True, True, False]
