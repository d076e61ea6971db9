"""gc, backup and restore of the built demonstration, beside a server that answers and logs."""

import dataclasses
import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from eiderdown.cli import app
from eiderdown.demonstration import tour
from ml import files
from ml.release.manifest import current_release, identity, read_manifest
from serving.app import create_app
from serving.settings import Settings
from tests.conftest import Project, copy_project

TABLES = "select schema_name || '.' || table_name from duckdb_tables() where schema_name <> 'monitoring' order by all"


def command(home: Path, *arguments: str, succeeds: bool = True) -> str:
    """What a command prints."""
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "EIDERDOWN_HOME": str(home)})
    assert (result.exit_code == 0) is succeeds, result.output
    return result.output


def ask(url: str) -> dict[str, Any]:
    """The answer to one prediction, but for its id."""
    answer = httpx.post(f"{url}/predict/flight_delay", json={"instances": [tour.INSTANCE]})
    assert answer.status_code == 200
    return {key: value for key, value in answer.json().items() if key != "request_id"}


def everything(project: Project) -> dict[str, list[tuple]]:
    """A digest of the rows of every table."""
    names = [name for (name,) in project.query(TABLES)]
    return {name: project.query(f"select count(*), sum(hash(columns(*)::varchar)) from {name}") for name in names}


def test_a_restored_home_goes_on_where_the_other_was(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    file = tmp_path / "home.tar"
    with tour.server() as (url, _):
        before = ask(url)
        told = json.loads(command(project.home, "backup", str(file), "--json"))
        assert ask(url) == before
    assert told["warehouse"] == "eiderdown.duckdb"
    assert "is whole" in command(project.home, "backup", "--verify", str(file))
    restored = copy_project(tmp_path / "elsewhere")
    command(project.home, "restore", str(file), "--to", str(restored.home))
    for stored in told["files"]:
        assert (restored.home / stored["path"]).stat().st_size == stored["size"]
    assert everything(restored) == everything(project)

    old = add_older(restored.home / "releases", 2)
    add_older(restored.home / "releases", 1)
    assert f"releases/{old}" in command(restored.home, "gc", "--keep", "1")
    project.folder.rename(tmp_path / "gone")
    counts = "select (select count(*) from registry.model_versions), (select max(version) from registry.datasets)"
    release, versions = current_release(restored.home / "releases"), restored.query(counts)
    restored.dbt("run")
    assert current_release(restored.home / "releases") == release
    assert restored.query(counts) == versions
    # The request that was logged before the backup, and none after it.
    assert restored.query("select count(*) from monitoring.prediction_log") == [(1,)]
    # A version's view names its file by an absolute path.
    assert restored.query("select count(*) > 1000 from datasets.flight_delay_v1") == [(True,)]
    monkeypatch.setenv("EIDERDOWN_HOME", str(restored.home))
    with TestClient(create_app(Settings(poll_seconds=3600))) as client:
        answer = client.post("/predict/flight_delay", json={"instances": [tour.INSTANCE]}).json()
    assert {key: value for key, value in answer.items() if key != "request_id"} == before


def add_older(folder: Path, days: int) -> str:
    """A release like the current one, published so many days before it. Returns its name."""
    current = read_manifest(folder / current_release(folder))
    catalog = f"{days} days before"
    name = identity(
        current.as_of, current.replay, current.views, current.models, current.aliases, current.serving, catalog
    )
    shutil.copytree(folder / current.release, folder / name)
    created = dt.datetime.fromisoformat(current.created_at) - dt.timedelta(days=days)
    manifest = dataclasses.replace(current, release=name, catalog=catalog, created_at=created.isoformat())
    (folder / name / "manifest.json").unlink()
    (folder / name / "manifest.json").write_text(manifest.to_json())
    return name


def test_a_server_answers_from_a_release_that_gc_removed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    monkeypatch.setenv("EIDERDOWN_POLL_SECONDS", "3600")
    folder = project.home / "releases"
    current = current_release(folder)
    older, before = add_older(folder, 2), add_older(folder, 1)
    files.write_whole(folder / "current", older.encode())
    with tour.server() as (url, _):
        answered = ask(url)
        assert answered["release"] == older
        files.write_whole(folder / "current", current.encode())
        rows = project.query("select tailnum from features.plane_activity_v2 group by 1")
        keys = [{"tailnum": tailnum} for (tailnum,) in rows]
        looked_up = httpx.post(f"{url}/features/plane_activity_v2", json={"keys": keys[:100]}).json()["rows"]
        would = json.loads(command(project.home, "gc", "--keep", "1", "--dry-run", "--json"))
        assert [found["path"] for found in would["garbage"]] == [f"releases/{older}"]
        assert f"releases/{older}" in command(project.home, "gc", "--keep", "1")
        assert {path.name for path in folder.iterdir()} == {current, before, "current", ".lock"}
        assert ask(url) == answered
        assert httpx.post(f"{url}/features/plane_activity_v2", json={"keys": keys[:100]}).json()["rows"] == looked_up
    assert "removed 0" in command(project.home, "gc", "--keep", "1")


def test_gc_waits_for_nobody(project: Project) -> None:
    hold = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    command_line = [sys.executable, "-c", hold, project.database]
    with subprocess.Popen(command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as dbt:
        assert dbt.stdout is not None and dbt.stdin is not None
        dbt.stdout.readline()
        assert "held by another process, such as a dbt run" in command(project.home, "gc", succeeds=False)
        dbt.stdin.close()
    assert "removed 0" in command(project.home, "gc")
