"""A declaration's mistakes: the field, what is wrong, and the remedy."""

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.errors import DeclarationError
from ml.spec import ModelSpec
from ml.split import split_by_time

GOOD: dict[str, Any] = {"task": "binary", "dataset": "orders", "target": "is_late", "estimator": "lightgbm"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimatr": "x"}, "unknown field 'estimatr'. Did you mean 'estimator'"),
        ({"estimator": "lightgmb"}, "estimator is 'lightgmb'; it must be one of lightgbm. Did you mean 'lightgbm'"),
        ({"task": "ranking"}, "task is 'ranking'"),
        ({"threshold": "best"}, "threshold is 'best'; it must be one of max_f1"),
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
        ({"promote": {"min_gain": "much"}}, "promote.min_gain must be a number"),
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


def _times(count: int) -> pa.ChunkedArray:
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    moments = [start + dt.timedelta(days=day // 2) for day in range(count)]
    return pa.chunked_array([pa.array(moments, pa.timestamp("us", tz="UTC"))])


def test_split_by_bounds_is_half_open() -> None:
    split = {"validation_from": "2024-01-03T00:00:00Z", "test_from": "2024-01-04"}
    splits = split_by_time(ModelSpec.parse("late", {**GOOD, "split": split}), _times(10))
    assert splits.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2, 2]


def test_split_by_shares_keeps_equal_times_together() -> None:
    splits = split_by_time(ModelSpec.parse("late", GOOD), _times(200))
    assert (splits[::2] == splits[1::2]).all()
    assert np.bincount(splits).tolist() == [140, 30, 30]


def test_an_empty_split_is_an_error() -> None:
    split = {"validation_from": "2030-01-01", "test_from": "2031-01-01"}
    with pytest.raises(DeclarationError, match="leaves no rows for validation"):
        split_by_time(ModelSpec.parse("late", {**GOOD, "split": split}), _times(10))
