"""In somebody else's project: a schema in its YAML, what breaks it as rows, and what is accepted in the YAML."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from eiderdown.cli import app
from tests.conftest import Project, copy_machines, messages

STATE = "      - {name: next_state, data_type: varchar, constraints: [{type: not_null}]"
DOMAIN = ", config: {meta: {domain: [stopped, hot]}}}  # of three"
RANGE = ", config: {meta: {domain: {min: 62, max: 80}}}}"


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_machines(tmp_path_factory.mktemp("schemas") / "machines")
    file = _file(project)
    text = file.read_text().replace(STATE + "}", STATE + DOMAIN)
    file.write_text(
        text.replace("{name: temperature, data_type: double}", "{name: temperature, data_type: double" + RANGE)
    )
    project.dbt("deps")
    project.dbt("run", "-s", "+anomalies")
    return project


def _file(project: Project) -> Path:
    return project.folder / "models" / "datasets" / "datasets.yml"


def _run(project: Project, *arguments: str, code: int = 0) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.folder)
        patch.setenv("EIDERDOWN_HOME", str(project.home))
        answer = CliRunner().invoke(app, ["schema", *arguments])
    assert answer.exit_code == code, answer.output
    return json.loads(answer.stdout) if "--json" in arguments else answer.output


def test_what_breaks_the_schema_is_found_and_accepted(declared: Project, tmp_path: Path) -> None:
    found = "select feature, kind, count(*), any_value(severity) from monitoring.anomalies group by all order by all"
    assert declared.query(found) == [
        ("next_state", "out_of_domain", 5, "error"),
        ("temperature", "below_range", 4, "error"),
    ]
    file = _file(declared)
    before = file.read_text()
    said = _run(declared, "accept", "datasets.stops", "next_state", "--dry-run")
    assert "[stopped, hot, normal]}}}  # of three" in said and file.read_text() == before
    changed = _run(declared, "accept", "datasets.stops", "--all", "--json")
    assert {(one["column"], str(one["value"])) for one in changed} == {
        ("next_state", "['stopped', 'hot', 'normal']"),
        ("temperature", "60"),
    }
    assert file.read_text() == before.replace("[stopped, hot]", "[stopped, hot, normal]").replace("min: 62", "min: 60")
    said = _run(declared, "accept", "datasets.stops", "next_state", code=1)
    assert 'the suggestion was made from ["stopped", "hot"]. Run `dbt run -s anomalies`' in said.replace("\n", " ")

    held = "select feature, kind, rule, window_at, computed_at from monitoring.value_checks order by all"
    read = declared.query(held)
    declared.dbt("run", "-s", "feature_statistics", "value_checks", "anomalies")
    assert declared.query("select * from monitoring.anomalies") == []
    # What is not of a changed rule is not read again, and statistics stay.
    assert [row for row in declared.query(held) if row[1] == "above_range"] == [
        row for row in read if row[1] == "above_range"
    ]
    assert "keeps its schema" in _run(declared, "validate", "datasets.stops")
    assert "has no anomaly" in _run(declared, "accept", "datasets.stops", "next_state", code=1)

    rows = "select * replace (if(next_state = 'hot', 'cold', next_state) as next_state) from datasets.stops"
    with duckdb.connect(str(declared.database), read_only=True) as connection:
        connection.execute(
            f"copy ({rows} union all ({rows} limit 3)) to '{tmp_path / 'stops.parquet'}' (format parquet)"
        )
    faults = _run(declared, "validate", str(tmp_path / "stops.parquet"), "--model", "stops", "--json", code=1)
    assert [(one["feature"], one["kind"]) for one in faults] == [
        ("(all)", "duplicate_key"),
        ("next_state", "out_of_domain"),
    ]
    shown = _run(declared, "show", "datasets.stops", "--json")
    assert next(one for one in shown["columns"] if one["feature"] == "next_state")["values"] == [
        "stopped",
        "hot",
        "normal",
    ]


def test_a_mistake_in_a_schema_stops_before_anything_runs(declared: Project) -> None:
    file = _file(declared)
    text = file.read_text()
    built = "select max(computed_at) from monitoring.feature_statistics"
    before = declared.query(built)
    file.write_text(text.replace("meta: {domain: [", "meta: {domian: ["))
    result = declared.dbt("run", "-s", "feature_statistics", succeeds=False)
    file.write_text(text)
    assert (
        "model stops, column next_state: config.meta has the unknown field 'domian'. Did you mean 'domain'?"
        in messages(result)
    )
    assert declared.query(built) == before
