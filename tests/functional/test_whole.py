"""The whole thing on all the flights, with the commands that `make run` uses."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY, copy_project


def _run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "EIDERDOWN_HOME": str(folder / "warehouse"), "COLUMNS": "160"}
    binary = Path(sys.executable).parent / command[0]
    done = subprocess.run(
        [str(binary), *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_from_nothing_to_a_prediction(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "whole")
    assert "336,776 rows" in _run(project.folder, "eiderdown", "load", "flights")
    assert "is there" in _run(project.folder, "eiderdown", "load", "flights")
    assert "ERROR=0" in _run(project.folder, "dbt", "build")
    auc = dict(
        project.query(
            "select model, value from registry.model_metrics where metric = 'auc' and split = 'test' and slice = 'all'"
        )
    )
    assert auc["flight_delay"] >= 0.72
    assert auc["flight_delay"] > auc["flight_delay_schedule"] + 0.05
    # From rules alone, without an outcome.
    assert auc["flight_delay_weak"] > auc["flight_delay_schedule"] + 0.03
    assert auc["arrived_late_label_model"] > auc["arrived_late_majority_vote"] + 0.02
    assert project.query("select count(distinct flight_id), count(*) from staging.flights") == [(336_776, 336_776)]
    tour = _run(project.folder, "eiderdown", "tour")
    assert '"score": 0.' in tour
    assert "make serve" in tour
    one = "select max(model) from registry.model_versions"
    assert '[{"max(model)": "flight_delay_weak"}]' in _run(project.folder, "eiderdown", "sql", one, "--json")
    assert '"is_current": true' in _run(project.folder, "eiderdown", "releases", "--json")


def test_errors_of_the_command_line_say_what_to_do(tmp_path: Path) -> None:
    environment = {**os.environ, "EIDERDOWN_HOME": str(tmp_path)}
    binary = str(Path(sys.executable).parent / "eiderdown")
    for arguments, message in (
        (["sql", "select 1"], "no release has been published; run `dbt build` first"),
        (["releases"], "no release has been published"),
        (["load", "flights", "--as-of", "yesterday"], "is no time; write it like 2013-12-31T12:00:00Z"),
        (["load", "flights", "--as-of", "2013-12-31"], "lacks its zone"),
        (["serve", "--host", "0.0.0.0"], "use 127.0.0.1"),
        (["predict", "m", "--instance", "{"], "not a JSON object"),
        (["predict", "m", "--instance", "{}", "--url", "http://127.0.0.1:9"], "no server answers"),
    ):
        done = subprocess.run(
            [binary, *arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
