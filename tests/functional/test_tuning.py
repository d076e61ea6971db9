"""A tuned model under dbt and `eiderdown tune`: the best trial is trained with, and a second run adds nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ml.tuning.journal import held
from tests.conftest import Project
from tests.tuned import Tuned, copy_tuned, declare

LINEAR = "estimator: linear, parameters: {l2: 1.0e+8}"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    project = copy_tuned(tmp_path_factory.mktemp("tuned") / "machines")
    declare(project, f"{LINEAR}, tune: {{trials: 1, metric: log_loss, sampler: random}}")
    project.run("run")
    return project


def _counts(project: Project) -> Any:
    return project.query(
        "select (select count(*) from training.will_stop_trials), "
        "(select count(*) from training.will_stop_trials where is_best), "
        "(select max(version) from registry.model_versions), (select count(*) from registry.releases)"
    )[0]


def _tune(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from eiderdown.cli import app; app()", "tune", "will_stop", *arguments]
    home = os.environ | {"EIDERDOWN_HOME": str(project.home)}
    return subprocess.run(command, cwd=project.folder, env=home, capture_output=True, text=True, check=False)


def test_the_first_trial_is_as_declared(tuned: Tuned) -> None:
    assert _counts(tuned) == (1, 1, 1, 1)
    assert tuned.query("select state, params, estimator from training.will_stop_trials") == [
        ("complete", "{}", "linear")
    ]


def test_tune_runs_while_another_holds_the_warehouse_and_dbt_trains_with_what_it_found(tuned: Tuned) -> None:
    with duckdb.connect(str(tuned.database)):
        ended = _tune(tuned, "--trials", "4", "--json")
    assert ended.returncode == 0, ended.stderr
    best = json.loads(ended.stdout)["best"]
    tuned.run("run")
    assert _counts(tuned) == (4, 1, 2, 2)
    [(reason, params)] = tuned.query("select reason, params from registry.model_versions where version = 2")
    assert reason == f"parameters.l2: 100000000.0 -> {best['params']['l2']}"
    assert json.loads(params)["l2"] == best["params"]["l2"]
    # The trial was measured as the registry measures the version that has its parameters.
    measured = tuned.query(
        "select value from registry.model_metrics "
        "where version = 2 and metric = 'log_loss' and split = 'validation' and slice = 'all'"
    )
    assert measured[0][0] == pytest.approx(best["value"], abs=1e-9)


def test_a_second_run_adds_nothing(tuned: Tuned) -> None:
    before = _counts(tuned)
    tuned.run("run")
    tuned.run("run", "--full-refresh", "-s", "will_stop_trials", "will_stop")
    assert _counts(tuned) == before


def test_while_another_process_searches_dbt_neither_waits_nor_searches(
    tuned: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tuned.home))
    before = _counts(tuned)
    declare(tuned, f"{LINEAR}, slices: [shift], tune: {{trials: 9, metric: log_loss, sampler: random}}")
    with held("will_stop"):
        tuned.run("run", "-s", "will_stop_trials+1", "model_versions")
        refused = _tune(tuned)
    assert refused.returncode == 1
    assert "another process searches for its parameters" in refused.stderr
    assert _counts(tuned)[:2] == before[:2]
    [(reason, l2)] = tuned.query("select reason, params.l2 from registry.model_versions where version = 3")
    assert "a search is running" in reason and "parameters." not in reason
    assert l2 == tuned.query("select params.l2 from registry.model_versions where version = 2")[0][0]


def test_automl_leaves_a_leaderboard_and_trains_the_best_estimator(tuned: Tuned) -> None:
    declare(
        tuned,
        "estimator: lightgbm, parameters: {num_boost_round: 3}, automl: {trials: 4, estimators: [linear, lightgbm]}",
    )
    tuned.run("run")
    board = tuned.query(
        "select rank, estimator, value, trials, is_best, params from training.will_stop_leaderboard order by rank"
    )
    assert [row[0] for row in board] == [1, 2]
    assert {row[1] for row in board} == {"linear", "lightgbm"}
    assert [row[3] for row in board] == [2, 2]
    assert [row[4] for row in board] == [True, False]
    assert board[0][2] > board[1][2]
    [(estimator, params)] = tuned.query(
        "select estimator, params from registry.model_versions order by version desc limit 1"
    )
    assert estimator == board[0][1]
    assert json.loads(board[0][5]).items() <= json.loads(params).items()
    before = _counts(tuned)
    tuned.run("run")
    assert _counts(tuned) == before


def test_without_its_journal_the_table_keeps_its_rows_and_one_best(tuned: Tuned) -> None:
    before = _counts(tuned)
    (tuned.home / "artifacts" / "tuning" / "will_stop" / "journal.jsonl").unlink()
    declare(tuned, f"{LINEAR}, tune: {{trials: 2, sampler: grid, space: {{l2: {{choices: [1, 2]}}}}}}")
    tuned.run("run", "-s", "will_stop_trials+")
    assert _counts(tuned)[:2] == (before[0] + 2, 1)


def test_mistakes(tuned: Tuned, tmp_path: Path) -> None:
    declare(tuned, "estimator: linear, tune: {trials: 2, space: {l3: {low: 1, high: 2}}}")
    said = tuned.run("run", "-s", "will_stop_trials", succeeds=False)
    assert "model will_stop: config.meta.model.tune.space: parameters.l3" in said
    declare(tuned, "estimator: linear")
    said = tuned.run("run", "-s", "will_stop_trials", succeeds=False)
    assert "model will_stop: will_stop_trials holds its trials, and it declares no search" in said
    ended = _tune(tuned)
    assert ended.returncode == 1
    assert "model will_stop declares no search; add tune: {trials: 30}" in ended.stderr.replace("\n", " ")
