"""Event files through dbt: each event is read once, whatever is appended between runs and wherever one is killed."""

import json

import pytest

from tests import events
from tests.conftest import Project, copy_machines

KINDS = ("predictions", "feedback", "pushes")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_machines(tmp_path_factory.mktemp("events") / "machines")
    project.dbt("deps")
    return project


def _run(project: Project, *arguments: str, succeeds: bool = True) -> None:
    project.dbt("run", "-s", "event_files", "feedback", "prediction_log", "pushed_rows", *arguments, succeeds=succeeds)


def _assert_read_once(project: Project) -> None:
    """That the tables hold what brute force finds in the files."""
    rows = project.query(
        "select event_id, cast(instance as varchar), cast(features as varchar), missing, score, label, probabilities, class "
        "from monitoring.prediction_log"
    )
    logged = {row[0]: (json.loads(row[1]), json.loads(row[2]), *row[3:]) for row in rows}
    assert logged == events.predictions(project.home)
    assert len(rows) == len(logged)
    placed = "event_id = request_id || '-' || place and assignment is null"
    assert project.query(f"select count(*) from monitoring.prediction_log where {placed}") == [(len(rows),)]
    rows = project.query("select request_id, instance, outcome, outcome_count from monitoring.feedback")
    assert {row[:2]: row[2:] for row in rows} == events.feedback(project.home)
    rows = project.query("select event_id, cast(row as varchar), problem from monitoring.pushed_rows")
    assert {row[0]: json.loads(row[1]) for row in rows} == events.pushes(project.home)
    assert {row[2] for row in rows} <= {"the project has no such view"}
    for kind in KINDS:
        found = project.query(
            f"select file, line_count, torn_count, event_count, size_bytes from monitoring.event_files where kind = '{kind}'"
        )
        assert {row[0]: row[1:3] for row in found} == events.counts(project.home, kind)
        assert all(row[1] == row[2] + row[3] for row in found)
        folder = project.home / "events" / kind
        assert {row[0]: row[4] for row in found} == {
            path.name: path.stat().st_size for path in folder.iterdir() if path.stat().st_size
        }


def test_each_event_is_read_once(project: Project) -> None:
    _run(project)
    _assert_read_once(project)
    assert project.query("select count(*) from monitoring.prediction_log") == [(0,)]

    writer = events.EventWriter(project.home, seed=1)
    for kind in KINDS:
        for file in range(40):
            writer.write(kind, file, 3)
    for line in writer.parts(places=[[0, 1], [2], [3, 4]]):
        writer.append("predictions", 51, json.dumps(line).encode() + b"\n")
    # A server is writing a line, while dbt reads.
    half = json.dumps(writer.prediction()).encode()
    writer.append("predictions", 50, half[:100])
    _run(project)
    _assert_read_once(project)

    writer.append("predictions", 50, half[100:] + b"\n")
    for kind in KINDS:
        writer.write(kind, 3, 10)
        writer.write(kind, 60, 10)
    path = project.folder / "models" / "monitoring" / "prediction_log.sql"
    text = path.read_text()
    path.write_text(text + "{{ config(post_hook=\"select error('killed')\") }}")
    before = project.query("select count(*) from monitoring.prediction_log")
    _run(project, succeeds=False)
    assert project.query("select count(*) from monitoring.prediction_log") == before
    path.write_text(text)
    _run(project)
    _assert_read_once(project)


def test_history_outlives_its_files_and_what_was_read_is_not_read_again(project: Project) -> None:
    tables = ("prediction_log", "feedback", "pushed_rows")
    before = [project.query(f"from monitoring.{table} order by all") for table in tables]
    kept, *others = (project.home / "events" / "predictions").glob("2024*.jsonl")
    for path in others:
        path.unlink()
    content = kept.read_bytes()
    # Other requests in as many bytes, which nobody writes.
    kept.write_bytes(content.replace(b'"request_id": "', b'"request_id":"a'))
    _run(project)
    assert [project.query(f"from monitoring.{table} order by all") for table in tables] == before
    assert project.query("select count(*) from monitoring.event_files where kind = 'predictions'") == [(1,)]

    _run(project, "--full-refresh")
    after = [project.query(f"from monitoring.{table} order by all") for table in tables]
    assert len(after[0]) > len(before[0])
    assert [row for row in after[0] if row in before[0]] == before[0]
    assert after[1:] == before[1:]
