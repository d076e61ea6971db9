"""`kill -9` in the middle of a search: the next one goes on, repeats no finished trial and finds the same."""

import multiprocessing
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ml.tuning.journal import is_held, journal_path
from ml.tuning.study import MOST_KILLS
from tests.conftest import Project
from tests.searches import SPACE, model, run, trials, versions
from tests.tuned import copy_tuned, declare

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["dbt.cli.main", "dbt.adapters.duckdb", "ml.training.train", "ml.tuning.trials", "tests.searches"]
)


def kill_at_write(number: int) -> None:
    """Kill this process when it is about to write so many times to a journal."""
    writes = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal writes
        if event == "open" and str(arguments[0]).endswith(journal_path("").name) and "a" in str(arguments[1]):
            writes += 1
            if writes == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def search_and_die(folder: Path, tune: dict[str, Any], number: int) -> None:
    os.environ["EIDERDOWN_HOME"] = str(folder / "home")
    kill_at_write(number)
    run(model(tune), versions(folder))


def build_and_die(folder: Path, number: int) -> None:
    kill_at_write(number)
    Project(folder, "machines.duckdb").dbt("run", "-s", "+model_versions")


def killed(target: Any, *arguments: Any) -> bool:
    """Whether a child was killed before it ended."""
    child = CONTEXT.Process(target=target, args=arguments)
    child.start()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_search_that_is_killed_anywhere_goes_on(
    sampler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune = {"trials": 13, "sampler": sampler, "space": SPACE}
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path / "whole"))
    undisturbed = run(model(tune), versions(tmp_path))
    whole = [(trial.place, trial.params, trial.state, trial.value) for trial in trials()]
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path / "home"))
    kills, known = 0, []
    # A trial writes some fifteen times; each child ends one, so that none is killed so often that it is passed over.
    for number in (3, 25, 31, 28, 40, 36, 33, 45, 400):
        kills += killed(search_and_die, tmp_path, tune, number)
        finished = [trial for trial in trials() if trial.reason != "killed"]
        assert finished[: len(known)] == known
        known = finished
        assert not is_held("late")
    assert kills >= 4
    assert [(trial.place, trial.params, trial.state, trial.value) for trial in known] == whole
    # A kill between two trials leaves none.
    assert 0 < sum(trial.reason == "killed" for trial in trials()) <= kills
    assert undisturbed.best is not None
    assert run(model(tune), versions(tmp_path)).trials == 13
    best = run(model(tune), versions(tmp_path)).best
    assert best is not None
    assert (best.params, best.value) == (undisturbed.best.params, undisturbed.best.value)


def test_a_trial_that_kills_each_time_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path / "home"))
    tune = {"trials": 2, "space": SPACE}
    for _ in range(MOST_KILLS):
        # In the first trial each time: the study, what it is about, the trial, its place, a loss.
        assert killed(search_and_die, tmp_path, tune, 5)
    assert not killed(search_and_die, tmp_path, tune, 400)
    found = trials()
    assert Counter(trial.place for trial in found) == {0: MOST_KILLS, 1: 1}
    assert [trial.state for trial in found] == ["failed"] * MOST_KILLS + ["complete"]


def test_a_dbt_run_that_is_killed_in_its_search_registers_nothing_and_the_next_goes_on(tmp_path: Path) -> None:
    project = copy_tuned(tmp_path / "machines")
    declare(project, "estimator: linear, tune: {trials: 3, metric: log_loss}")
    assert killed(build_and_die, project.folder, 20)
    tables = {
        name for (name,) in project.query("select table_name from duckdb_tables() where schema_name = 'training'")
    }
    assert "will_stop" not in tables and "will_stop_trials" not in tables
    project.run("run", "-s", "+model_versions")
    assert project.query("select count(*) from training.will_stop_trials where state <> 'failed'") == [(3,)]
    assert project.query("select count(*) from training.will_stop_trials where is_best") == [(1,)]
    assert project.query("select count(*) from registry.model_versions where model = 'will_stop'") == [(1,)]
