"""Searches for parameters: budgets, restarts, pruning, grids, and several estimators."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from ml.datasets.versions import in_memory
from ml.errors import DeclarationError, EiderdownError
from ml.estimators.linear import Linear
from ml.estimators.soft_targets import by_class
from ml.training.data import prepare
from ml.tuning.journal import SearchIsHeld, held, is_held, journal_path
from ml.tuning.search import Budget, Progress
from tests.recorded import record
from tests.searches import COLUMNS, ROWS, SPACE, model, run, trials, versions


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path / "home"))
    return tmp_path


def _outcomes() -> list[tuple[Any, ...]]:
    return [(trial.place, trial.params, trial.state, trial.value, trial.losses) for trial in trials()]


def test_the_first_trial_is_as_declared_and_the_best_is_measured_on_the_validation_split(home: Path) -> None:
    find = versions(home)
    spec = model({"trials": 5, "metric": "log_loss", "space": SPACE})
    found = run(spec, find)
    assert [trial.params == {} for trial in trials()] == [True, False, False, False, False]
    assert found.best is not None and found.best.value == min(trial.value for trial in trials() if trial.value)
    with in_memory() as session:
        data = prepare(session, spec, find(1), ["a", "b"]).data
    trained = Linear.train(data, spec.parameters | found.best.params, spec.seed)
    scores = Linear(trained.artifact, data.features, 1).predict(data.validation[0])
    assert found.best.value == pytest.approx(log_loss(data.validation[1], scores), abs=1e-12)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_stopped_between_trials_it_goes_on_and_finds_the_same(home: Path, sampler: str) -> None:
    find = versions(home)
    spec = model({"trials": 14, "sampler": sampler, "space": SPACE})
    run(spec, find)
    whole = _outcomes()
    assert len(whole) == 14
    journal_path("late").unlink()
    for budget in (1, 6, 6, 13, 14):
        assert run(spec, find, budget=Budget(budget, None)).trials == budget
    assert _outcomes() == whole


def test_new_rows_begin_no_search_and_again_does(home: Path) -> None:
    spec = model({"trials": 2, "space": SPACE})
    run(spec, versions(home, 1))
    find = versions(home, 2)
    assert run(spec, find, budget=Budget(3, None)).trials == 3
    assert {trial.dataset_version for trial in trials()} == {1}
    assert run(spec, find, again=True).trials == 2
    assert [trial.dataset_version for trial in trials()] == [1, 1, 1, 2, 2]
    assert run(spec, find).trials == 2
    with pytest.raises(DeclarationError, match="searched on version 2 of the dataset orders, the latest"):
        run(spec, find, again=True)
    other = model({"trials": 2, "space": SPACE}, seed=2)
    assert run(other, find).trials == 2
    assert len(trials()) == 7


def test_a_grid_is_gone_through_once(home: Path) -> None:
    space = {"max_iterations": {"choices": [2, 4, 8]}, "l2": {"low": 0.1, "high": 0.3, "step": 0.1}}
    found = run(model({"minutes": 5, "sampler": "grid", "space": space}), versions(home))
    assert found.trials == 9
    points = sorted((trial.params["max_iterations"], round(trial.params["l2"], 9)) for trial in trials())
    assert points == [(most, l2) for most in (2, 4, 8) for l2 in (0.1, 0.2, 0.3)]


def test_losing_trials_are_pruned(home: Path) -> None:
    # All but one hold the weights at next to nothing.
    space = {"l2": {"choices": [1, 1e7, 1e8, 1e9]}}
    tune = {"trials": 25, "sampler": "random", "space": space}
    task = {"task": "regression", "target": "delay", "parameters": {"tolerance": 1e-12}}
    found = run(model(tune, **task), versions(home))
    pruned = [trial for trial in trials() if trial.state == "pruned"]
    assert pruned and all(trial.params["l2"] >= 1e7 for trial in pruned)
    assert all(trial.value is None and "in the worst quarter" in str(trial.reason) for trial in pruned)
    assert found.best is not None and found.best.params.get("l2", 1) == 1
    journal_path("late").unlink()
    run(model(tune | {"pruning": False}, **task), versions(home))
    assert {trial.state for trial in trials()} == {"complete"}


def test_time_counts_across_restarts(home: Path) -> None:
    find = versions(home)
    spec = model({"minutes": 60, "space": SPACE})
    run(spec, find, budget=Budget(3, None))
    spent = sum(trial.seconds for trial in trials())
    assert run(spec, find, budget=Budget(None, spent / 60)).trials == 3
    assert run(spec, find, budget=Budget(None, (spent + 1e-6) / 60)).trials == 4
    # What begins before the end is stopped after it, since there is a trial to train with.
    assert trials()[-1].reason == "out of time"
    assert run(spec, find, budget=Budget(None, 0)).trials == 4


def test_the_first_trial_has_the_time_that_it_needs(home: Path) -> None:
    found = run(model({"minutes": 1e-9, "space": SPACE}), versions(home))
    assert found.trials == 1
    assert found.best is not None


def test_a_torn_end_of_the_journal_is_cut_off(home: Path) -> None:
    find = versions(home)
    spec = model({"trials": 4, "space": SPACE})
    run(spec, find)
    whole, content = _outcomes(), journal_path("late").read_bytes()
    for tail in (b'{"op_code":4,"wor', b"\0" * 512, b'{"op_code":6\n'):
        journal_path("late").write_bytes(content + tail)
        assert _outcomes() == whole
        run(spec, find, budget=Budget(5, None))
        assert _outcomes()[:4] == whole
        assert len(trials()) == 5
    lines = content.splitlines(keepends=True)
    for kept in (0, 1, 2, 3, len(lines) // 2, len(lines) - 1):
        journal_path("late").write_bytes(b"".join(lines[:kept]) + lines[kept][:-7])
        run(spec, find)
        finished = [outcome for outcome, trial in zip(_outcomes(), trials(), strict=True) if trial.reason != "killed"]
        assert finished == whole


def test_two_at_once_refuse(home: Path) -> None:
    spec = model({"trials": 1, "space": SPACE})
    assert not is_held("late")
    with held("late"):
        assert is_held("late")
        with pytest.raises(SearchIsHeld, match="model late: another process searches for its parameters"):
            run(spec, versions(home))
    assert run(spec, versions(home)).trials == 1
    assert not is_held("late")


def test_a_trial_that_fails_says_why_and_the_search_goes_on(home: Path) -> None:
    # LightGBM refuses so few bins when it trains.
    space = {"max_bin": {"choices": [1, 63]}}
    trees = {"estimator": "lightgbm", "parameters": {"num_boost_round": 1}}
    found = run(model({"trials": 6, "sampler": "random", "space": space}, **trees), versions(home))
    failed = [trial for trial in trials() if trial.state == "failed"]
    assert failed and all(trial.params == {"max_bin": 1} and "max_bin" in str(trial.reason) for trial in failed)
    assert found.trials == 6
    assert found.best is not None


def test_a_search_that_only_fails_gives_up(home: Path) -> None:
    spec = model({"trials": 9, "space": {"max_bin": {"choices": [1]}}}, estimator="lightgbm", parameters={"max_bin": 1})
    with pytest.raises(EiderdownError, match=r"model late: the first 3 trials failed, the last one with: .*max_bin"):
        run(spec, versions(home))


def test_an_interrupt_is_noted_and_its_place_is_tried_again(home: Path) -> None:
    find = versions(home)
    spec = model({"trials": 3, "space": SPACE})
    run(spec, find)
    whole = _outcomes()
    journal_path("late").unlink()

    def interrupt(progress: Progress) -> None:
        if progress.trials == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(spec, find, watch=interrupt)
    run(spec, find)
    assert _outcomes() == whole


def test_automl_tries_every_estimator_cheap_ones_first(home: Path) -> None:
    spec = model(
        estimator="lightgbm",
        parameters={"num_boost_round": 1},
        automl={"trials": 6, "estimators": ["lightgbm", "linear"]},
    )
    assert spec.search is not None and list(spec.search.spaces) == ["linear", "lightgbm"]
    found = run(spec, versions(home))
    assert [(trial.estimator, trial.place) for trial in trials()] == [
        ("linear", 0),
        ("linear", 1),
        ("linear", 2),
        ("lightgbm", 0),
        ("lightgbm", 1),
        ("lightgbm", 2),
    ]
    begun = sorted(trials(), key=lambda trial: trial.started_at)
    assert [trial.estimator for trial in begun] == ["linear", "lightgbm"] * 3
    assert found.best is not None and found.best.value == max(trial.value or 0 for trial in trials())


def test_automl_shares_the_time(home: Path) -> None:
    trees = {"estimator": "lightgbm", "parameters": {"num_boost_round": 1}}
    spec = model(automl={"minutes": 1, "estimators": ["lightgbm", "linear"]}, **trees)
    run(spec, versions(home), budget=Budget(12, 60))
    seconds = {
        name: sum(trial.seconds for trial in trials() if trial.estimator == name) for name in ("linear", "lightgbm")
    }
    longest = max(trial.seconds for trial in trials())
    assert abs(seconds["linear"] - seconds["lightgbm"]) <= longest


def test_choices_of_any_kind_arrive_as_they_are(home: Path) -> None:
    space = {"monotone_constraints": {"choices": [[0, 0], [1, 1]]}, "boost_from_average": {"choices": [True, False]}}
    trees = {"estimator": "lightgbm", "parameters": {"num_boost_round": 1}}
    run(model({"trials": 4, "sampler": "random", "space": space}, **trees), versions(home))
    assert {trial.state for trial in trials()} == {"complete"}
    found = [json.dumps(trial.params["monotone_constraints"]) for trial in trials()[1:]]
    assert set(found) <= {"[0, 0]", "[1, 1]"}
    assert all(isinstance(trial.params["boost_from_average"], bool) for trial in trials()[1:])
    assert all(np.isfinite(trial.value) for trial in trials() if trial.value is not None)


@pytest.mark.parametrize("way", ["soft_targets", "sample_weights"])
def test_trials_learn_from_probabilities_and_are_measured_by_them(home: Path, way: str) -> None:
    learn_from = {"probabilities": "chance", "as": way}
    rows = f"select *, if(id % 3 = 0, null, least(a, 0.9)) as chance from ({ROWS})"
    version = record(home, 1, COLUMNS | {"chance": "DOUBLE"}, rows, labels=["late", "delay", "chance"])
    spec = model({"trials": 2, "metric": "log_loss", "space": SPACE}, learn_from=learn_from)
    found = run(spec, lambda number: version)
    with in_memory() as session:
        data = prepare(session, spec, version, ["a", "b"]).data
    assert len(data.train[0]) == 280 and len(data.validation[0]) == 60
    assert found.best is not None
    scores = Linear(Linear.train(data, spec.parameters | found.best.params, spec.seed).artifact, data.features, 1)
    rows_of, classes, weights = by_class("binary", data.validation[1], data.validation_weights)
    expected = log_loss(classes, scores.predict(data.validation[0])[rows_of], sample_weight=weights)
    assert found.best.value == pytest.approx(expected, abs=1e-12)
