"""What `tune` and `automl` may say, and what is wrong otherwise."""

from typing import Any

import pytest

from ml.errors import DeclarationError
from ml.training.spec import ModelSpec
from tests.searches import MODEL, SPACE, model


def _parse(**changes: Any) -> ModelSpec:
    declared = {name: value for name, value in (MODEL | changes).items() if value is not None}
    return ModelSpec.parse("late", declared)


def test_defaults() -> None:
    tuning = model({"trials": 30}).search
    assert tuning is not None
    assert (tuning.metric, tuning.sampler, tuning.pruning, tuning.minutes) == ("auc", "tpe", True, None)
    assert list(tuning.spaces["linear"]) == ["l2"]
    assert _parse().search is None
    assert _parse(automl=False).search is None


def test_automl_needs_no_estimator() -> None:
    spec = _parse(automl=True, estimator=None, parameters=None)
    assert spec.search is not None and spec.search.minutes == 10
    assert list(spec.search.spaces)[:2] == ["linear", "lightgbm"]
    assert spec.estimator == "linear"
    assert _parse(automl={}, estimator="lightgbm", parameters={"num_leaves": 7}).estimator == "lightgbm"


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        ({}, "tune has no budget; add trials: 30, minutes: 10 or both"),
        ({"trials": 0}, "tune.trials is '0'; it must be a whole number of at least 1"),
        ({"trials": 2.5}, "tune.trials is '2.5'"),
        ({"minutes": "long"}, "tune.minutes is 'long'; it must be a number of at least 0"),
        ({"trials": 3, "sampler": "bayes"}, "tune.sampler is 'bayes'; it must be one of tpe, random, grid"),
        ({"trials": 3, "metric": "rmse"}, "tune.metric is 'rmse'; it must be one of auc"),
        ({"trials": 3, "pruning": "often"}, "tune.pruning is 'often'; it must be true or false"),
        ({"trials": 3, "trails": 3}, "tune has the unknown field 'trails'. Did you mean 'trials'?"),
        ({"trials": 3, "space": {}}, "tune.space must be a mapping of the parameters of linear"),
        ({"trials": 3, "space": {"l3": {"low": 1, "high": 2}}}, "tune.space: parameters.l3"),
        ({"trials": 3, "space": {"l2": {"low": -1, "high": 2}}}, "tune.space: parameters.l2"),
        ({"trials": 3, "space": {"l2": {"choices": [1, "x"]}}}, "tune.space: parameters.l2"),
        ({"trials": 3, "space": {"l2": {"low": 2, "high": 2}}}, "tune.space.l2: low must be less than high"),
        ({"trials": 3, "space": {"l2": {"low": 2}}}, "tune.space.l2.high is 'None'; it must be a number"),
        ({"trials": 3, "space": {"l2": {"choices": []}}}, "tune.space.l2.choices must be a list of values"),
        ({"trials": 3, "space": {"l2": {"choices": [1], "low": 1}}}, "with no other field beside it"),
        ({"trials": 3, "space": {"l2": {"low": 0, "high": 2, "log": True}}}, "with log: true, low must be above 0"),
        ({"trials": 3, "space": {"l2": {"low": 0, "high": 2, "step": 0}}}, "tune.space.l2.step must be above 0"),
        ({"trials": 3, "space": {"l2": {"low": 0, "high": 2, "step": 0.5}}}, "step must be a whole number"),
        ({"trials": 3, "space": {"l2": [1, 2]}}, "tune.space.l2 must be a mapping with the fields low, high"),
        ({"trials": 3, "sampler": "grid"}, "tune.space.l2: a grid takes choices, or low, high and step"),
        (
            {"trials": 3, "sampler": "grid", "space": {"l2": {"low": 0, "high": 1_000_000, "step": 1}}},
            "tune.space has more than 100,000 points",
        ),
    ],
)
def test_mistakes_of_tune(tune: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as error:
        model(tune)
    assert message in str(error.value)
    assert "model late: config.meta.model.tune" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"automl": True, "tune": {"trials": 3}}, "has both 'tune' and 'automl'"),
        ({"automl": "yes"}, "automl is 'yes'; it must be true, or a mapping"),
        ({"automl": {"estimators": ["forest"]}}, "automl.estimators is 'forest'; it must be one of"),
        ({"automl": {"estimators": []}}, "automl.estimators must be a list of estimators"),
        ({"automl": {"estimators": ["lightgbm"]}}, "automl.estimators lacks the declared estimator linear"),
        ({"automl": True, "estimator": None}, "name the one that 'parameters' are of as 'estimator'"),
        ({"automl": {"sampler": "grid"}}, "automl has the unknown field 'sampler'"),
        ({"estimator": None}, "lacks 'estimator'"),
    ],
)
def test_mistakes_of_automl(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as error:
        _parse(**changes)
    assert message in str(error.value)


def test_a_search_names_what_it_is_of() -> None:
    from ml.tuning.identity import latest_dataset_version, search_name

    spec = model({"trials": 3, "space": SPACE})
    assert search_name(spec, 2) == search_name(model({"minutes": 9, "space": SPACE}), 2)
    others = [
        model({"trials": 3, "space": SPACE}, seed=2),
        model({"trials": 3, "space": SPACE}, features=["a"]),
        model({"trials": 3, "space": SPACE}, parameters={}),
        model({"trials": 3, "space": SPACE}, split={"by": "random"}),
        model({"trials": 3, "space": SPACE, "metric": "brier"}),
        model({"trials": 3}),
    ]
    names = {search_name(other, 2) for other in others}
    assert len(names) == len(others) and search_name(spec, 2) not in names
    searches = {search_name(spec, 2), search_name(spec, 10), search_name(others[0], 11)}
    assert latest_dataset_version(spec, searches) == 10
    assert latest_dataset_version(others[1], searches) is None
