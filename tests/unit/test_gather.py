"""Numbers gathered by the compiled program beside Arrow's own conversion."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.release.gather import Gather, is_gathered

WHOLE = {
    pa.int8(): st.integers(-(2**7), 2**7 - 1),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**53), 2**53),
    pa.uint8(): st.integers(0, 2**8 - 1),
    pa.uint16(): st.integers(0, 2**16 - 1),
    pa.uint32(): st.integers(0, 2**32 - 1),
    pa.uint64(): st.integers(0, 2**53),
}
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = WHOLE | {
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.bool_(): st.booleans(),
}


@given(data=st.data(), rows=st.integers(1, 20))
def test_what_is_gathered_is_what_arrow_has(data: st.DataObject, rows: int) -> None:
    kinds = data.draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=6))
    arrays = [
        pa.array(data.draw(st.lists(st.none() | VALUES[kind], min_size=rows, max_size=rows)), kind) for kind in kinds
    ]
    assert all(is_gathered(pa.chunked_array([array])) for array in arrays)
    targets = data.draw(st.permutations(range(len(kinds) + 1)))[: len(kinds)]
    places = np.array(data.draw(st.lists(st.integers(-1, rows - 1), min_size=1, max_size=30)))
    matrix = np.full((len(places), len(kinds) + 1), 7.0)
    Gather(list(zip(arrays, targets, strict=True)))(places, matrix)
    for array, target in zip(arrays, targets, strict=True):
        doubles = [np.nan if value is None else float(value) for value in array.to_pylist()]
        expected = [doubles[place] if place >= 0 else np.nan for place in places]
        np.testing.assert_array_equal(matrix[:, target], expected)
    (left,) = set(range(len(kinds) + 1)) - set(targets)
    assert (matrix[:, left] == 7.0).all()


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2**53 + 1]),
        pa.array([None, -(2**60)], pa.int64()),
        pa.array([2**64 - 1], pa.uint64()),
        pa.array(["a"]),
        pa.array([1.5]).cast(pa.decimal128(5, 2)),
        pa.array([[1]]),
        pa.array([], pa.float64()),
    ],
)
def test_what_a_double_does_not_hold_is_not_gathered(values: pa.Array) -> None:
    assert not is_gathered(pa.chunked_array([values]))


def test_no_columns_are_gathered_into_nothing() -> None:
    matrix = np.full((2, 3), 7.0)
    Gather([])(np.array([0, 1]), matrix)
    assert (matrix == 7.0).all()
