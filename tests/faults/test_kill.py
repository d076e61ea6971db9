"""`kill -9` at any point of a run that trains and publishes: the server serves on, the next run puts everything right.

Four kills in the ordinary run of the tests; EIDERDOWN_KILLS=100 does a hundred. Half of them fall at a random time, half
at a random one of the file operations under the home folder, where a kill is worst.
"""

import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from eiderdown.demonstration import tour
from ml import files
from ml.release.manifest import current_release
from serving.app import create_app
from serving.releases.release import Release
from serving.settings import Settings
from tests.conftest import Project

KILLS = int(os.environ.get("EIDERDOWN_KILLS", "4"))
KILLS_PER_TRIAL = 4
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["dbt.cli.main", "dbt.adapters.duckdb", "ml.training.train", "ml.release.publish", "tests.conftest"]
)

TABLES = (
    "registry.feature_views",
    "registry.datasets",
    "registry.model_versions",
    "registry.model_metrics",
    "registry.model_aliases",
    "registry.releases",
    "training.flight_delay_scores",
    "features.plane_activity_v2",
    "datasets.flight_delay",
    "predictions.flight_delay",
)
VOLATILE = {"created_at", "since", "invocation_id"}


def run_dbt(folder: Path, kill_at_operation: int | None, operations: Any) -> None:
    """`dbt run` in a child, which kills itself at a file operation under the home folder; counts them otherwise."""
    project = Project(folder)
    changing = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.chmod", "os.truncate")

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        is_write = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if (is_write or event in changing) and str(arguments[0]).startswith(str(project.home)):
            operations.value += 1
            if operations.value == kill_at_operation:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    project.dbt("run")


def kill_once(project: Project, chance: random.Random, seconds: float, operations: int) -> bool:
    """A run that is killed at a random point. Returns whether it was killed before it ended."""
    counter = CONTEXT.Value("i", 0)
    at_operation = chance.randint(1, operations) if chance.random() < 0.5 else None
    child = CONTEXT.Process(target=run_dbt, args=(project.folder, at_operation, counter))
    child.start()
    child.join(None if at_operation else chance.uniform(0.1, seconds))
    if child.is_alive():
        child.kill()
        child.join()
    return child.exitcode == -signal.SIGKILL


def state(project: Project) -> dict[str, Any]:
    """All that a run leaves, but for times and invocations."""
    tables = {}
    for table in TABLES:
        names = [row[0] for row in project.query(f"describe {table}") if row[0] not in VOLATILE]
        tables[table] = project.query(f"select {', '.join(names)} from {table} order by all")
    kept = [
        path
        for folder in ("artifacts/models", "artifacts/datasets", "releases")
        for path in (project.home / folder).rglob("*")
    ]
    return {
        "release": current_release(project.home / "releases"),
        "tables": tables,
        "names": project.query("select schema_name || '.' || table_name from duckdb_tables() order by all"),
        "files": sorted(str(path.relative_to(project.home)) for path in kept if path.is_file() and path.name[0] != "."),
        "aside": list(project.home.rglob(".aside-*")),
    }


@pytest.fixture
def changed(project: Project) -> Project:
    """The built demonstration with all that a run can do before it: another clock, another seed, a new champion."""
    yaml = project.folder / "models" / "training" / "_training.yml"
    yaml.write_text(yaml.read_text().replace("seed: 1", "seed: 7").replace("split: test}", "min_gain: -1}"))
    project.set_clock("2013-12-31T15:00:00Z")
    return project


def test_a_run_that_is_killed_anywhere_converges(
    changed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = _copy(changed, tmp_path / "undisturbed")
    counter = CONTEXT.Value("i", 0)
    child = CONTEXT.Process(target=run_dbt, args=(undisturbed.folder, None, counter))
    started = time.monotonic()
    child.start()
    child.join()
    seconds = time.monotonic() - started
    assert child.exitcode == 0
    expected = state(undisturbed)
    before = current_release(changed.home / "releases")
    assert expected["release"] != before

    chance = random.Random(KILLS)
    killed = 0
    for trial in range(KILLS):
        project = _copy(changed, tmp_path / "trial")
        monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
        scores: dict[str, set[float]] = {}
        with TestClient(create_app(Settings(poll_seconds=3600))) as client:
            for _ in range(KILLS_PER_TRIAL):
                killed += kill_once(project, chance, seconds, counter.value)
                client.app.state.current.refresh()  # type: ignore[attr-defined]
                answer = client.post("/predict/flight_delay", json={"instances": [tour.INSTANCE]})
                assert answer.status_code == 200
                body = answer.json()
                scores.setdefault(body["release"], set()).add(body["predictions"][0]["score"])
                current = current_release(project.home / "releases")
                assert body["release"] == current
                assert Release(project.home / "releases" / current).name == current
        assert set(scores) <= {before, expected["release"]}
        assert all(len(found) == 1 for found in scores.values())
        project.dbt("run")
        after = state(project)
        for part in expected:
            assert after[part] == expected[part], f"trial {trial}"
        shutil.rmtree(project.folder)
        if killed >= KILLS:
            break
    assert killed >= KILLS


def test_what_a_killed_run_wrote_and_no_table_names_goes(project: Project) -> None:
    """Where the inputs have changed since, the next run writes other files, and these are orphans."""
    artifacts = project.home / "artifacts"
    before = sorted(path for path in artifacts.rglob("*") if path.suffix in (".txt", ".parquet"))
    for name, table in (("models/flight_delay/x.txt", "training"), ("datasets/flight_delay/x.parquet", "datasets")):
        files.note_unregistered(artifacts / name, f'"eiderdown"."{table}"."flight_delay"')
        (artifacts / name).touch()
    (artifacts / "models/flight_delay/somebody's.txt").touch()
    project.dbt("run", "-s", "flight_delay", "flight_delay_dataset")
    after = sorted(path for path in artifacts.rglob("*") if path.suffix in (".txt", ".parquet"))
    assert after == sorted([*before, artifacts / "models/flight_delay/somebody's.txt"])


def _copy(project: Project, folder: Path) -> Project:
    shutil.copytree(project.folder, folder)
    return Project(folder)
