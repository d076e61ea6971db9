"""Recorded versions of a dataset: read again in SQL and in Python, compared and shared, also while dbt holds the warehouse."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

import eiderdown
from eiderdown.cli import app
from ml.errors import ArtifactError, DeclarationError
from tests.conftest import Project, messages

PINNED = (
    "{{{{ config(materialized='table', schema='monitoring', contract={{'enforced': false}}) }}}}\n"
    "select count(*) as row_count from {{{{ eiderdown.dataset_version('flight_delay', {version}) }}}}\n"
)


def command(*arguments: str, succeeds: bool = True) -> str:
    """What a command prints."""
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    assert (result.exit_code == 0) is succeeds, result.output
    return result.output


@contextmanager
def held(project: Project) -> Iterator[None]:
    """The warehouse as dbt holds it while it runs: no other process can open it."""
    with duckdb.connect(str(project.database)):
        yield


WEATHER = ("temperature", "humidity", "wind_speed", "wind_gust", "precipitation", "pressure", "visibility")


def _edit(project: Project) -> None:
    """Rows go and values change, a column comes, another gets a new type, and a feature view goes with its columns."""
    sql = project.folder / "models/datasets/flight_delay_dataset.sql"
    yaml = project.folder / "models/datasets/_datasets.yml"
    changes = [
        (sql, "where arrival_delay is not null", "where arrival_delay is not null and dest <> 'BOS'"),
        (sql, "        distance,\n", "        cast(distance + if(dest = 'ATL', 1, 0) as double) as distance,\n"),
        (sql, "        sched_dep_at,\n", "        sched_dep_at,\n        1 as one,\n"),
        (sql, "        ref('origin_weather'),\n", ""),
        (yaml, "- name: distance\n        data_type: integer", "- name: distance\n        data_type: double"),
        (
            yaml,
            "      - name: is_airborne\n",
            "      - name: one\n        data_type: integer\n      - name: is_airborne\n",
        ),
        *((yaml, f"      - name: {column}\n        data_type: double\n", "") for column in WEATHER),
    ]
    for path, old, new in changes:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def test_versions_are_read_compared_and_pinned(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    pinned = project.folder / "models/monitoring/pinned.sql"
    pinned.write_text(PINNED.format(version=1))
    first = project.query("from datasets.flight_delay order by flight_id")
    _edit(project)
    project.dbt("run", "-s", "flight_delay_dataset", "registry.datasets", "pinned")
    second = project.query("from datasets.flight_delay order by flight_id")

    # In the warehouse.
    assert project.query("from datasets.flight_delay_v1 order by flight_id") == first
    assert project.query("from datasets.flight_delay_v2 order by flight_id") == second
    assert project.query("from monitoring.pinned") == [(len(first),)]
    files = project.query("select comment from duckdb_views() where schema_name = 'datasets' order by view_name")
    assert all(Path(file).is_relative_to(project.home.resolve()) for (file,) in files)

    # Beside a release, and in Python, while dbt holds the warehouse.
    with held(project):
        with eiderdown.connect() as connection:
            assert connection.execute("from datasets.flight_delay_v1 order by flight_id").fetchall() == first
            assert connection.execute("from datasets.flight_delay_v2 order by flight_id").fetchall() == second
        rows = json.loads(command("sql", "select count(*) as n from datasets.flight_delay_v2", "--json"))
        assert rows == [{"n": len(second)}]
        assert _tuples(eiderdown.dataset("flight_delay", version=1)) == first
        assert _tuples(eiderdown.dataset("flight_delay")) == second
        listed = json.loads(command("datasets", "list", "--json"))
        found = json.loads(command("datasets", "diff", "flight_delay", "1", "2", "--json"))

    assert [(row["dataset"], row["version"], row["rows"]) for row in listed] == [
        ("flight_delay", 1, len(first)),
        ("flight_delay", 2, len(second)),
    ]
    assert listed[0]["models"] == [
        "arrival_delay_minutes 1",
        "flight_delay 1",
        "flight_delay_schedule 1",
        "flight_delay_weak 1",
    ]
    assert listed[1]["models"] == []
    assert listed[0]["views"] == listed[1]["views"] | {"origin_weather": 1}
    assert listed[0]["bytes"] == Path(files[0][0]).stat().st_size

    ((to_atlanta, to_boston),) = project.query(
        "select count(*) filter (dest = 'ATL'), count(*) filter (dest = 'BOS') from datasets.flight_delay_v1"
    )
    assert to_atlanta and to_boston
    assert (found["rows"]["added"], found["rows"]["removed"]) == (0, to_boston)
    assert found["changed_values"]["distance"] == to_atlanta
    assert found["changed_values"]["local_hour"] == 0
    assert found["columns_added"] == {"one": "integer"}
    assert found["columns_removed"] == dict.fromkeys(WEATHER, "double")
    assert found["columns_retyped"] == {"distance": ["integer", "double"]}
    assert found["views"] == {"origin_weather": [1, None]}
    assert found["definition"]["request.distance"][1]["type"] == "double"
    assert any(line.startswith("+") and "dest <> 'BOS'" in line for line in found["sql"])
    shown = command("datasets", "diff", "flight_delay", "1", "2")
    assert f"added 0, removed {to_boston:,}, changed {found['rows']['changed']:,}" in shown
    assert "feature view origin_weather: 1 → none" in shown

    # What is not there, and what is not as it was.
    pinned.write_text(PINNED.format(version=3))
    result = project.dbt("run", "-s", "pinned", succeeds=False)
    assert (
        "has no version 3 in registry.datasets. Read one of: flight_delay version 1, flight_delay version 2"
        in messages(result)
    )
    pinned.write_text(PINNED.format(version=1))
    artifact = Path(files[0][0])
    content = artifact.read_bytes()
    artifact.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    assert "it holds version 1 of the dataset flight_delay" in messages(
        project.dbt("run", "-s", "pinned", succeeds=False)
    )
    with pytest.raises(ArtifactError, match="missing or altered"):
        eiderdown.dataset("flight_delay", 1).to_arrow()
    artifact.unlink()
    project.dbt("run", "-s", "registry.datasets")
    with pytest.raises(duckdb.Error, match="flight_delay_v1: its file, artifacts/datasets/flight_delay/"):
        project.query("from datasets.flight_delay_v1")
    assert "is missing; restore it" in command("sql", "from datasets.flight_delay_v1", succeeds=False)
    artifact.write_bytes(content)
    project.dbt("run", "-s", "registry.datasets")
    assert project.query("from datasets.flight_delay_v1 order by flight_id") == first


def _tuples(version: Any) -> list[tuple]:
    """The rows as DuckDB gives them to Python."""
    return version.relation().order("flight_id").fetchall()


def test_a_version_is_shown_and_shared(built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(built.home))
    version = eiderdown.dataset("flight_delay")
    assert [found.name for found in eiderdown.datasets()] == ["flight_delay_v1"]
    rows = version.to_arrow()
    assert rows.num_rows == version.row_count
    assert rows.column_names == list(version.columns)
    file = tmp_path / "flights.parquet"
    assert "version 1" in command("datasets", "export", "flight_delay", "--to", str(file))
    assert "is there already" in command("datasets", "export", "flight_delay", "--to", str(file), succeeds=False)
    command("datasets", "export", "flight_delay", "--version", "1", "--to", str(file), "--force")
    shown = json.loads(command("datasets", "show", "flight_delay", "--json"))
    assert shown["definition"] == version.definition
    assert "turnaround_hours" in command("datasets", "show", "flight_delay")

    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path / "another machine"))
    shared = eiderdown.read_dataset(file)
    assert shared.to_arrow() == rows
    assert shared.views == version.views


def test_what_is_not_there_is_named(built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(built.home))
    with pytest.raises(DeclarationError, match=r"the dataset 'flights' has no version .*datasets there: flight_delay"):
        eiderdown.dataset("flights")
    with pytest.raises(DeclarationError, match=r"has no version 9 in registry\.datasets\. Did you mean one of 1\?"):
        eiderdown.dataset("flight_delay", version=9)
    with pytest.raises(DeclarationError, match=r"has no column delay\. Did you mean one of flight_id, "):
        eiderdown.dataset("flight_delay").to_arrow(["delay"])
    assert "datasets.<dataset>_v<version>" in command("sql", "from datasets.flight_delay_v9", succeeds=False)
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    with pytest.raises(ArtifactError, match=r"versions\.json: no list .* dbt run --select registry\.datasets"):
        eiderdown.datasets()


def test_nothing_is_written_where_nothing_changed(project: Project) -> None:
    project.dbt("run", "-s", "registry.datasets")
    index = project.home / "artifacts/datasets/versions.json"
    views = "select view_oid, comment from duckdb_views() where schema_name = 'datasets'"
    before = (index.stat().st_mtime_ns, project.query(views))
    project.dbt("run", "-s", "registry.datasets", "--full-refresh")
    assert (index.stat().st_mtime_ns, project.query(views)) == before
