"""In somebody else's project: other data, other entities, its own profile and warehouse, to the HTTP answer."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sklearn import metrics

import eiderdown
from ml.release.manifest import current_release, read_manifest
from serving.app import create_app
from tests.conftest import REPOSITORY, Project, copy_machines, messages


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_machines(tmp_path_factory.mktemp("elsewhere") / "machines")
    project.dbt("deps")
    project.dbt("build")
    return project


def test_the_demonstration_is_off(machines: Project) -> None:
    assert machines.query("select table_name from duckdb_tables() where schema_name = 'features' order by 1") == [
        ("heating_v1",),
        ("machine_health_v1",),
    ]
    listed = machines.dbt("ls", "--resource-type", "model", "--resource-type", "test").result
    assert not [name for name in listed if name.startswith("eiderdown.")]


def test_the_model_learned(machines: Project) -> None:
    auc = machines.query(
        "select value from registry.model_metrics "
        "where model = 'will_stop' and metric = 'auc' and split = 'test' and slice = 'all'"
    )
    assert auc[0][0] > 0.6


def test_a_second_run_adds_nothing(machines: Project) -> None:
    machines.dbt("run")
    counts = "select (select count(*) from registry.model_versions), (select count(*) from registry.releases)"
    assert machines.query(counts) == [(3, 1)]


def test_it_is_served(machines: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(machines.home))
    machine = 9007199254740993
    with TestClient(create_app()) as client:
        answer = client.post("/predict/will_stop", json={"instances": [{"machine_id": machine, "shift": "day"}]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["predictions"][0]["status"] == "ok"
        row = client.post("/features/machine_health", json={"keys": [{"machine_id": machine}]}).json()["rows"][0]
    expected = machines.query(
        f"select temperature from features.machine_health_v1 where machine_id = {machine} order by event_at desc limit 1"
    )
    assert row["entity"] == {"machine_id": machine}
    assert row["features"]["temperature"] == {"value": expected[0][0], "status": "present"}


def _scored(machines: Project, model: str) -> list[tuple]:
    return machines.query(f"select target, score from training.{model}_scores where split = 'test' order by row_id")


def _metrics(machines: Project, model: str) -> dict[str, float]:
    rows = machines.query(
        f"select metric, value from registry.model_metrics where model = '{model}' and split = 'test' and slice = 'all'"
    )
    return dict(rows)


def test_a_regression_is_measured_as_scikit_learn_does(machines: Project) -> None:
    target, score = zip(*_scored(machines, "next_temperature"), strict=True)
    found = _metrics(machines, "next_temperature")
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(target, score), rel=1e-9)
    assert found["r2"] == pytest.approx(metrics.r2_score(target, score), rel=1e-9)
    assert found["r2"] > 0.3
    groups = machines.query(
        "select count(*) from (select machine_id from training.next_temperature_scores inner join datasets.stops "
        "on row_id = reading group by machine_id having count(distinct split) > 1)"
    )
    assert groups == [(0,)]


def test_many_classes_are_measured_as_scikit_learn_does(machines: Project) -> None:
    target, score = zip(*_scored(machines, "next_state"), strict=True)
    classes = sorted(score[0])
    matrix = np.array([[one[name] for name in classes] for one in score])
    found = _metrics(machines, "next_state")
    assert classes == ["hot", "normal", "stopped"]
    assert matrix.sum(axis=1) == pytest.approx(1)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(target, matrix, labels=classes), rel=1e-9)
    expected = metrics.roc_auc_score(target, matrix, multi_class="ovr", average="macro", labels=classes)
    assert found["auc_macro"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("model", ["will_stop", "next_temperature", "next_state"])
def test_predictions_over_http_and_in_sql_are_the_same(
    machines: Project, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """With contributions that add up to the raw score; every task with its own kind of score and label."""
    monkeypatch.setenv("EIDERDOWN_HOME", str(machines.home))
    instance = {"machine_id": 9007199254740993, "shift": "day"}
    with TestClient(create_app()) as client:
        answer = client.post(f"/predict/{model}", json={"instances": [instance], "explain": True})
        assert answer.status_code == 200, answer.text
    prediction = answer.json()["predictions"][0]
    score, explanation = prediction["score"], prediction["explanation"]
    total = explanation["base"] + sum(explanation["contributions"].values())
    assert total == pytest.approx(explanation["raw_score"], rel=1e-9)
    function = "predict_probabilities" if model == "next_state" else "predict"
    with eiderdown.connect() as connection:
        row = "{'shift': 'day', 'temperature': temperature, 'mean_temperature': mean_temperature, 'is_heating': is_heating}"
        heating = "(select *, temperature > mean_temperature as is_heating from features.machine_health_v1)"
        found, contributions = connection.execute(
            f"select {function}('{model}@champion', {row}), contributions('{model}', {row}) from {heating} "
            "where machine_id = 9007199254740993"
        ).fetchall()[0]
    assert found == score
    assert contributions == explanation["contributions"] | {"(base)": explanation["base"]}
    if model == "will_stop":
        assert isinstance(prediction["label"], bool)
        assert explanation["raw_score"] == pytest.approx(np.log(score / (1 - score)))
    elif model == "next_temperature":
        assert "label" not in prediction
        assert explanation["raw_score"] == score
    else:
        assert prediction["label"] == max(score, key=score.get)


def test_a_release_says_how_a_model_is_to_be_served_and_a_change_trains_nothing(
    machines: Project, tmp_path: Path
) -> None:
    project = Project(
        shutil.copytree(machines.folder, tmp_path / "machines", symlinks=True), database=machines.database.name
    )
    releases = project.home / "releases"
    first = read_manifest(releases / current_release(releases))
    assert first.serving == {"will_stop": {"slo_ms": 20}}
    declared = project.folder / "models" / "training" / "training.yml"
    declared.write_text(declared.read_text().replace("{slo_ms: 20}", "{slo_ms: 35.5}"))
    project.dbt("run", "-s", "will_stop", "training_decisions", "releases")
    second = read_manifest(releases / current_release(releases))
    assert second.serving == {"will_stop": {"slo_ms": 35.5}}
    assert second.release != first.release
    assert second.models == first.models
    assert project.query("select count(*) from registry.model_versions") == [(3,)]


def test_a_mistake_in_a_declaration_stops_before_anything_runs(tmp_path: Path) -> None:
    project = copy_machines(tmp_path / "machines")
    project.dbt("deps")
    declared = project.folder / "models" / "training" / "training.yml"
    declared.write_text(declared.read_text().replace("target: next_state", "target: next_sate"))
    result = project.dbt("run", succeeds=False)
    assert "target: 'next_sate' is no column of the dataset stops. Did you mean 'next_state'?" in messages(result)
    assert project.query("select table_name from duckdb_tables()") == []


def test_the_project_touches_no_file_of_ours() -> None:
    folder = REPOSITORY / "tests" / "functional" / "machines"
    one_line = list((folder / "models" / "registry").glob("*.sql"))
    assert len(one_line) == 17
    assert all(len(Path(path).read_text().strip().splitlines()) == 1 for path in one_line)


PROFILED = (
    "select strftime(window_at, '%Y-%m') as month, any_value(row_count), max(computed_at), any_value(content) "
    "from monitoring.feature_statistics where slice = 'all' group by month order by month"
)
MONTHS = ["2023-12", "2024-01", "2024-02", "2024-03", "2024-04", "2024-05"]


def test_a_window_is_profiled_once_and_again_when_its_rows_change(machines: Project, tmp_path: Path) -> None:
    shutil.copytree(machines.folder, tmp_path / "changed", symlinks=True)
    changed = Project(tmp_path / "changed", machines.database.name)
    first = {row[0]: row[1:] for row in changed.query(PROFILED)}
    counts = "select strftime(predicted_at, '%Y-%m') as month, count(*) from datasets.stops group by all"
    assert {month: row[0] for month, row in first.items()} == dict(changed.query(counts))
    assert sorted(first) == MONTHS

    ((state,),) = changed.query("select min(next_state) from datasets.stops")
    # A value changes in February, a state leaves March, April loses all its rows, and the clock goes on to the end of July.
    changed.write(
        "update datasets.stops set temperature = -1 where reading = "
        "(select min(reading) from datasets.stops where month(predicted_at) = 2);"
        f"delete from datasets.stops where month(predicted_at) = 3 and next_state = '{state}';"
        "delete from datasets.stops where month(predicted_at) = 4"
    )
    clock = "select timestamptz '2024-08-01T00:00:00Z' as as_of, true as replay"
    (changed.folder / "models" / "staging" / "clock.sql").write_text(clock)
    changed.dbt("run", "--select", "clock", "feature_statistics")
    second = {row[0]: row[1:] for row in changed.query(PROFILED)}
    assert sorted(second) == [*MONTHS, "2024-06", "2024-07"]
    assert {month for month in first if second[month] != first[month]} == {"2024-02", "2024-03", "2024-04"}
    assert [second[month][0] for month in ("2024-04", "2024-06", "2024-07")] == [0, 0, 0]
    of_state = f"from monitoring.feature_statistics where slice = 'next_state={state}'"
    assert changed.query(f"select distinct month(window_at) {of_state} order by 1") == [(1,), (2,), (5,), (12,)]
    least = (
        "select min from monitoring.feature_statistics where feature = 'temperature' and slice = 'all' and min = '-1.0'"
    )
    assert changed.query(least) == [("-1.0",)]

    # Nothing new: no row changes. (The machines were run twice, too.)
    held = changed.query("from monitoring.feature_statistics order by all")
    changed.dbt("run", "--select", "feature_statistics")
    assert changed.query("from monitoring.feature_statistics order by all") == held
