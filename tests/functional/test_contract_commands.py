"""`eiderdown contract`: what it proposes is a contract that dbt enforces, and what it compares is in the project."""

import json
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml
from typer.testing import CliRunner

from eiderdown.cli import app
from tests.conftest import Project
from tests.unit.test_contract_inference import ORDERS


def _run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["contract", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def _project(folder: Path) -> Project:
    """A dbt project that knows nothing of the platform."""
    (folder / "models").mkdir(parents=True)
    (folder / "warehouse").mkdir()
    (folder / "dbt_project.yml").write_text(
        "{name: plain, version: '1.0', profile: plain, models: {plain: {+materialized: table}}}\n"
    )
    (folder / "profiles.yml").write_text(
        "plain: {target: local, outputs: {local: {type: duckdb, path: warehouse/plain.duckdb, settings: {TimeZone: UTC}}}}\n"
    )
    return Project(folder, database="plain.duckdb")


def _paste(project: Project, name: str, proposed: str, sql: str) -> None:
    """Put a proposed contract into a project, for a model of this name."""
    model = yaml.safe_load("models:\n" + proposed)["models"][0]
    version = f"_v{model['versions'][0]['v']}" if "versions" in model else ""
    text = re.sub(rf"(- name: ){model['name']}$", rf"\1{name}", proposed, count=1, flags=re.M)
    (project.folder / "models" / f"{name}.yml").write_text("models:\n" + text)
    (project.folder / "models" / f"{name}{version}.sql").write_text(sql)


def test_proposed_contracts_hold_on_the_demonstration(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each relation as it is, which passes, and with every row twice, which breaks the proposed key."""
    monkeypatch.setenv("EIDERDOWN_HOME", str(built.home))
    relations = built.query(
        "select schema_name || '.' || table_name from duckdb_tables() where schema_name in ('staging', 'features', 'datasets')"
    )
    assert len(relations) >= 11
    project = _project(tmp_path / "plain")
    keyed = set()
    for (relation,) in relations:
        proposed = _run("infer", relation)
        name = relation.replace(".", "_")
        rows = f"select * from read_parquet('{tmp_path / name}.parquet')"
        with duckdb.connect(str(built.database), read_only=True) as connection:
            connection.execute(f"copy {relation} to '{tmp_path / name}.parquet' (format parquet)")
        _paste(project, name, proposed, rows)
        if "primary_key" in proposed:
            keyed.add(f"{name}_twice")
            _paste(project, f"{name}_twice", proposed, f"{rows} union all {rows}")
    # A request-time view's table is empty, so every column would be a key.
    assert len(keyed) >= len(relations) - 2
    result = project.dbt("run", succeeds=False)
    failed = {node.node.name: node.message for node in result.result if node.status == "error"}
    assert set(failed) == keyed
    assert all("duplicate key" in message.lower() for message in failed.values()), failed
    declared = yaml.safe_load((project.folder / "models" / "features_plane_activity_v2.yml").read_text())["models"][0]
    assert declared["constraints"] == [{"type": "primary_key", "columns": ["tailnum", "event_at", "known_at"]}]
    expected = {"entity": ["tailnum"], "event_at": "event_at", "known_at": "known_at", "ttl": "2 days", "online": True}
    assert declared["config"]["meta"]["feature_view"] == expected


ODD = f"""
select order_id as "order", state as "it's", quantity as "Count (%)", celsius as "between", code as select_, ordered_at as "a.b"
from ({ORDERS})
"""


BROKEN = ["'gone' as \"it's\"", '-200::bigint as "between"', 'null::bigint as "order"', "'DE1' as select_"]


def test_odd_names_and_values_survive_dbt(tmp_path: Path) -> None:
    database = tmp_path / "odd.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f'create table "main"."odd rows" as {ODD}')
    project = _project(tmp_path / "plain")
    selected = {"whole": "*"} | {f"broken_{place}": f"* replace ({change})" for place, change in enumerate(BROKEN)}
    for name, columns in selected.items():
        proposed = _run("infer", "main.odd rows", "--database", str(database), "--name", name)
        _paste(project, name, proposed, f"select {columns} from ({ODD})")
    result = project.dbt("run", succeeds=False)
    said = {node.node.name: str(node.message).lower() for node in result.result}
    assert project.query('select count(*), min("it\'s") from whole') == [(1000, 'a "b"')], said["whole"]
    assert ["constraint" in said[f"broken_{place}"] for place in range(len(BROKEN))] == [True] * len(BROKEN), said


def test_files_are_read_as_tables_are(tmp_path: Path) -> None:
    duckdb.execute(f"copy ({ORDERS}) to '{tmp_path / 'orders.parquet'}' (format parquet)")
    duckdb.execute(f"copy (select order_id, quantity from ({ORDERS})) to '{tmp_path / 'some.csv'}' (header)")
    model = json.loads(_run("infer", str(tmp_path / "orders.parquet"), "--json"))
    assert model["name"] == "orders" and model["constraints"] == [{"type": "primary_key", "columns": ["order_id"]}]
    sampled = _run("infer", str(tmp_path / "some.csv"), "--sample", "50", "--name", "few")
    assert "a sample of 50 rows" in sampled and "- name: few" in sampled


def test_what_cannot_be_inferred_is_said(built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(built.home))
    assert "Did you mean 'staging.flights'?" in _run("infer", "staging.flight", code=1)
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    assert "holds no DuckDB file" in _run("infer", "staging.flights", code=1)


HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def test_a_warehouse_that_is_held_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    command = [sys.executable, "-c", HOLD, str(tmp_path / "warehouse.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        said = _run("infer", "staging.flights", code=1)
        holder.communicate("")
    assert "is held by another process" in said and "release.duckdb" in said


def test_versions_are_compared(built: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built.folder)
    found = json.loads(_run("diff", "plane_activity", "1", "2", "--json"))
    assert found["category"] == "additive"
    assert {change["what"] for change in found["changes"]} >= {"column airport", "column is_airborne"}
    assert "its versions are 1, 2" in _run("diff", "plane_activity", "1", "3", code=1)
    assert "Did you mean 'plane_activity'?" in _run("diff", "plane_activty", "1", "2", code=1)
