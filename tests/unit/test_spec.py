"""A declaration's mistakes: the field, what is wrong, and the remedy."""

import json
from typing import Any

import pytest

from ml.errors import DeclarationError
from ml.training.declarations import problems
from ml.training.spec import ModelSpec

GOOD: dict[str, Any] = {"task": "binary", "dataset": "orders", "target": "is_late", "estimator": "lightgbm"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimatr": "x"}, "unknown field 'estimatr'. Did you mean 'estimator'"),
        ({"estimator": "lightgmb"}, "estimator is 'lightgmb'; it must be one of lightgbm"),
        ({"task": "ranking"}, "task is 'ranking'"),
        ({"threshold": "best"}, "threshold is 'best'; it must be one of max_f1"),
        ({"threshold": 2}, "threshold is '2'; it must be a number of at least 0 and of at most 1, a probability"),
        ({"task": "regression", "threshold": 0.5}, "threshold is for a binary task; remove it"),
        ({"seed": "one"}, "seed is 'one'; it must be a whole number"),
        ({"slices": "origin"}, "slices must be a list of columns"),
        ({"features": {"without": ["a"]}}, "features has the unknown field 'without'"),
        ({"features": "some"}, "features must be a list of columns"),
        ({"baseline": "linear"}, "baseline is 'linear'; it must be true or false"),
        ({"parameters": ["num_leaves"]}, "parameters must be a mapping"),
        (
            {"parameters": {"num_leafs": 3}},
            "parameters.num_leafs: lightgbm has no such parameter. Did you mean 'num_leaf'",
        ),
        ({"parameters": {"seed": 3}}, "parameters.seed of lightgbm is set by the platform; remove it"),
        ({"parameters": {"objective": "quantile"}}, "parameters.objective is 'quantile'; of a binary task"),
        ({"split": {"by": "group"}}, "'column' names the column of a split by group"),
        ({"split": {"column": "a"}}, "'column' names the column of a split by group"),
        ({"split": {"shares": [0.5, 0.5]}}, "split.shares must be three positive numbers that add up to 1"),
        ({"split": {"shares": [0.8, 0.2, 0.0]}}, "split.shares must be three positive numbers"),
        ({"split": {"by": "random", "test_from": "2024-01-01"}}, "are of a split by time"),
        ({"task": "regression", "promote": {"metric": "auc"}}, "promote.metric is 'auc'; it must be one of rmse"),
        ({"promote": {"confidence": 0.9}}, "promote.confidence is '0.9'; it must be one of 0.95"),
        ({"promote": {"max_slice_loss": -1}}, "promote.max_slice_loss is '-1'; it must be a number of at least 0"),
        (
            {"task": "multiclass", "promote": {"max_calibration_error": 0.1}},
            "max_calibration_error is for a binary task",
        ),
        ({"split": {"by": "moon"}}, "split.by is 'moon'"),
        ({"split": {"validation_from": "soon", "test_from": "2024-01-01"}}, "split.validation_from must be a time"),
        ({"split": {"test_from": "2024-01-01"}}, "needs both"),
        ({"split": {"validation_from": "2024-02-01", "test_from": "2024-01-01"}}, "must lie before"),
        ({"promote": {"metrik": "auc"}}, "unknown field 'metrik'. Did you mean 'metric'"),
        ({"promote": {"metric": "accuracy"}}, "promote.metric is 'accuracy'"),
        (
            {"promote": {"split": "tset"}},
            "promote.split is 'tset'; it must be one of validation, test. Did you mean 'test'",
        ),
        ({"promote": {"min_gain": "much"}}, "promote.min_gain is 'much'; it must be a number"),
    ],
)
def test_mistakes(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as error:
        ModelSpec.parse("late", {**GOOD, **change})
    assert message in str(error.value)
    assert "model late" in str(error.value)


@pytest.mark.parametrize("field", sorted(GOOD))
def test_required_fields(field: str) -> None:
    with pytest.raises(DeclarationError, match=f"lacks '{field}'"):
        ModelSpec.parse("late", {name: value for name, value in GOOD.items() if name != field})


def test_features() -> None:
    columns = {"id": "VARCHAR", "a": "DOUBLE", "b": "DOUBLE", "is_late": "BOOLEAN"}
    assert ModelSpec.parse("late", GOOD).select_features(columns, {"id"}) == ["a", "b"]
    assert ModelSpec.parse("late", {**GOOD, "features": ["b"]}).select_features(columns, {"id"}) == ["b"]
    assert ModelSpec.parse("late", {**GOOD, "features": {"exclude": ["a"]}}).select_features(columns, {"id"}) == ["b"]
    with pytest.raises(DeclarationError, match=r"'aa' is no column of the dataset orders\. Did you mean 'a'"):
        ModelSpec.parse("late", {**GOOD, "features": ["aa"]}).select_features(columns, {"id"})


def _problems(change: dict[str, Any]) -> str:
    columns = {
        "id": "VARCHAR",
        "at": "TIMESTAMP",
        "x": "DOUBLE",
        "when": "DATE",
        "is_late": "BOOLEAN",
        "minutes": "INTEGER",
    }
    datasets = {"orders": {"columns": columns, "not_features": ["id", "at", "is_late", "minutes"]}}
    declared = {**GOOD, "features": {"exclude": ["when"]}, **change}
    return problems(json.dumps({"models": {"late": declared}, "datasets": datasets}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, ""),
        ({"target": "minutes", "task": "regression"}, ""),
        (
            {"dataset": "order"},
            "dataset: there is no dataset 'order' in the project; its datasets are orders. Did you mean",
        ),
        ({"target": "is_lat"}, "target: 'is_lat' is no column of the dataset orders. Did you mean 'is_late'"),
        ({"slices": ["y"]}, "slices: 'y' is no column"),
        ({"split": {"by": "group", "column": "y"}}, "split.column: 'y' is no column"),
        ({"features": ["x", "minutes"]}, "'minutes' is the row id, the time, the target or a label"),
        ({"features": ["x", "when"]}, "'when' is DATE; a model takes numbers, booleans and text"),
        ({"features": []}, "leaves no feature"),
    ],
)
def test_problems_of_a_project(change: dict[str, Any], message: str) -> None:
    found = _problems(change)
    assert message in found if message else found == ""


def test_a_label_is_no_feature() -> None:
    columns = {"id": "VARCHAR", "x": "DOUBLE", "minutes": "INTEGER", "is_late": "BOOLEAN"}
    assert ModelSpec.parse("late", GOOD).select_features(columns, {"id", "minutes"}) == ["x"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": float("nan")}, "threshold is 'nan'"),
        ({"seed": None}, "seed is 'None'; it must be a whole number from 0"),
        ({"seed": -1}, "seed is '-1'; it must be a whole number from 0"),
        ({"split": {"by": "group", "column": None}}, "'column' names the column of a split by group"),
        ({"split": {"shares": [float("nan"), 0.5, 0.5]}}, "split.shares must be three positive numbers"),
        ({"optional": None}, "optional is 'None'; it must be true or false"),
        ({"serving": {"slo": 20}}, "serving has the unknown field 'slo'. Did you mean 'slo_ms'?"),
        (
            {"serving": {"slo_ms": "20"}},
            "serving.slo_ms is '20'; it must be a number of at least 1 and of at most 60000",
        ),
        ({"serving": {"slo_ms": float("nan")}}, "serving.slo_ms is 'nan'"),
        ({"serving": None}, "serving must be a mapping with the fields slo_ms"),
    ],
)
def test_values_that_yaml_lets_through(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as error:
        ModelSpec.parse("late", {**GOOD, **change})
    assert message in str(error.value)


def test_a_text_is_no_binary_target() -> None:
    columns = {"id": "VARCHAR", "x": "DOUBLE", "state": "VARCHAR"}
    datasets = {"orders": {"columns": columns, "not_features": ["id"]}}
    declared = {**GOOD, "target": "state"}
    assert "'state' is VARCHAR; a binary task takes a number" in problems(
        json.dumps({"models": {"late": declared}, "datasets": datasets})
    )
