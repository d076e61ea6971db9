"""Splits: by time, by group and at random."""

import datetime as dt
import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.errors import DeclarationError
from ml.training.spec import ModelSpec
from ml.training.split import split_rows

GOOD: dict[str, Any] = {"task": "binary", "dataset": "orders", "target": "is_late", "estimator": "lightgbm"}


def _rows(count: int) -> pa.Table:
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    moments = [start + dt.timedelta(days=day // 2) for day in range(count)]
    shops = [f"shop {row % 400}" if row % 401 else None for row in range(count)]
    at = pa.array(moments, pa.timestamp("us", tz="UTC"))
    return pa.table({"id": [f"o{row}" for row in range(count)], "at": at, "shop": shops})


def _split(split: dict[str, Any], rows: pa.Table, seed: int = 1) -> np.ndarray:
    return split_rows(ModelSpec.parse("late", {**GOOD, "split": split, "seed": seed}), rows, "id", "at")


def test_by_bounds_is_half_open() -> None:
    splits = _split({"validation_from": "2024-01-03T00:00:00Z", "test_from": "2024-01-04"}, _rows(10))
    assert splits.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(("shares", "counts"), [([0.7, 0.15, 0.15], [140, 30, 30]), ([0.5, 0.25, 0.25], [100, 50, 50])])
def test_by_shares_of_rows_keeps_equal_times_together(shares: list[float], counts: list[int]) -> None:
    splits = _split({"shares": shares}, _rows(200))
    assert (splits[::2] == splits[1::2]).all()
    assert (np.diff(splits) >= 0).all()
    assert np.bincount(splits).tolist() == counts


def test_by_shares_counts_rows_and_not_times() -> None:
    """One busy day holds half of the rows: the bounds lie around it."""
    days = [0] * 10 + list(range(1, 11)) + [11] * 80
    at = pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day) for day in days])
    rows = pa.table({"id": [str(place) for place in range(100)], "at": at.cast(pa.timestamp("us", tz="UTC"))})
    with pytest.raises(DeclarationError, match=r"leaves no rows for train|leaves no rows for validation"):
        _split({"shares": [0.7, 0.15, 0.15]}, rows)


def test_by_group_keeps_groups_together_and_nulls_are_one() -> None:
    rows = _rows(8_000)
    splits = _split({"by": "group", "column": "shop"}, rows)
    for shop in {"shop 1", "shop 399", None}:
        of_shop = splits[[value == shop for value in rows.column("shop").to_pylist()]]
        assert len(set(of_shop.tolist())) == 1
    assert np.bincount(splits) / 8_000 == pytest.approx([0.7, 0.15, 0.15], abs=0.06)


def test_at_random_is_the_hash_of_the_row_id() -> None:
    """So a row stays in its split when others come, and whatever library hashes."""
    rows = _rows(3_000)
    splits = _split({"by": "random"}, rows)
    for place in range(0, 3_000, 97):
        share = int.from_bytes(hashlib.md5(f"1:o{place}".encode()).digest()[:8], "little") / 2**64
        assert splits[place] == np.searchsorted([0.7, 0.85], share, side="right")
    assert (_split({"by": "random"}, rows.slice(1_000)) == splits[1_000:]).all()
    assert np.bincount(splits) / 3_000 == pytest.approx([0.7, 0.15, 0.15], abs=0.03)
    assert (_split({"by": "random"}, rows, seed=2) != splits).any()


@pytest.mark.parametrize("split", [{"validation_from": "2030-01-01", "test_from": "2031-01-01"}, {"by": "random"}])
def test_an_empty_split_is_an_error(split: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError, match="leaves no rows for"):
        _split(split, _rows(2))
