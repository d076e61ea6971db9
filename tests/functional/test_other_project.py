"""In somebody else's project: other data, other entities, its own profile and warehouse, to the HTTP answer."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from tests.conftest import REPOSITORY, Project, copy_machines


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
        "select value from registry.model_metrics where metric = 'auc' and split = 'test' and slice = 'all'"
    )
    assert auc[0][0] > 0.6


def test_a_second_run_adds_nothing(machines: Project) -> None:
    machines.dbt("run")
    counts = "select (select count(*) from registry.model_versions), (select count(*) from registry.releases)"
    assert machines.query(counts) == [(1, 1)]


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


def test_the_project_touches_no_file_of_ours() -> None:
    folder = REPOSITORY / "tests" / "functional" / "machines"
    one_line = list((folder / "models" / "registry").glob("*.sql"))
    assert len(one_line) == 15
    assert all(len(Path(path).read_text().strip().splitlines()) == 1 for path in one_line)
