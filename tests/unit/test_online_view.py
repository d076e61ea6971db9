"""Pushed values as numbers of a model: as they would be stored, so that the next release does not change them."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml import files
from ml.expressions.column import microseconds
from ml.field_types import arrow_type
from ml.release.feature_file import write_feature_file
from ml.release.gather import Gather
from ml.release.manifest import ReleasedView
from serving.releases.loaded import LoadedParts
from serving.releases.online_view import OnlineView

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
TIME = pa.timestamp("us", "UTC")


@pytest.mark.parametrize(
    ("sql_type", "value", "inexact"),
    [
        ("FLOAT", 0.1, []),
        ("DOUBLE", 0.1, []),
        ("BOOLEAN", True, []),
        ("INTEGER", -7, []),
        ("BIGINT", 2**53, []),
        ("BIGINT", 2**53 + 1, [(0, 0, 2**53 + 1)]),
        ("UBIGINT", 2**64 - 1, [(0, 0, 2**64 - 1)]),
        ("BIGINT", None, []),
    ],
)
def test_what_is_pushed_is_gathered_as_it_is_stored(
    tmp_path: Path, sql_type: str, value: Any, inexact: list[tuple[int, int, int]]
) -> None:
    arrow, path = arrow_type(sql_type), tmp_path / "view.arrow"
    times = pa.array([NOON], TIME)
    table = pa.table({"key": ["a"], "event_at": times, "known_at": times, "it": pa.array([1]).cast(arrow)})
    count = write_feature_file(table, ["key"], path)
    released = ReleasedView(
        "view", 1, "", ["key"], "event_at", "known_at", None, {"it": sql_type}, path.name, files.sha256(path), count
    )
    view = OnlineView(released, path, LoadedParts())
    later = NOON + dt.timedelta(hours=1)
    (row,) = view.contract.check([{"key": "a", "event_at": later.isoformat(), "it": value}], 1, later)
    view.push(row, "", "")
    found = view.find([("a",)], [later], [microseconds(later)])
    matrix = np.empty((1, 1))
    gather = Gather([(view.file.table.column("it").chunk(0), 0)])
    assert view.gather(found, gather, {"it": 0}, matrix) == inexact
    stored = pa.array([value], arrow).cast(pa.float64(), safe=False).to_pylist()[0]
    np.testing.assert_array_equal(matrix, [[np.nan if stored is None else stored]])
