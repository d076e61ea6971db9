"""From tables to matrices: each type, in any chunks, gives the doubles of its values."""

import decimal
import math

import numpy as np
import pyarrow as pa
import pytest

from ml.scoring.matrix import to_matrix
from ml.scoring.signature import Feature

ROWS = 20_000


@pytest.mark.parametrize(
    ("sql_type", "arrow", "values"),
    [
        ("DOUBLE", pa.float64(), [0.1, None, math.inf, -0.0, math.nan]),
        ("FLOAT", pa.float32(), [0.5, None, -(2.0**100)]),
        ("BIGINT", pa.int64(), [2**53 + 1, None, -7]),
        ("BOOLEAN", pa.bool_(), [True, None, False]),
        ("DECIMAL(9,2)", pa.decimal128(9, 2), [decimal.Decimal("1.25"), None]),
        ("DOUBLE", pa.null(), [None]),
    ],
)
def test_numbers(sql_type: str, arrow: pa.DataType, values: list) -> None:
    expected = [math.nan if value is None else float(value) for value in values]
    repeated = ROWS // len(values)
    for chunks in ([values * repeated], [values] * repeated, [values[:1], [], values[1:] + values * (repeated - 1)]):
        column = pa.chunked_array(chunks, arrow)
        table = pa.table({"other": column, "x": column})
        matrix = to_matrix(table, [Feature("x", sql_type), Feature("other", sql_type)])
        assert matrix.flags.c_contiguous
        for place in (0, 1):
            np.testing.assert_array_equal(matrix[:, place], np.tile(expected, repeated))


@pytest.mark.parametrize("arrow", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_categories_are_their_places(arrow: pa.DataType) -> None:
    column = pa.chunked_array([pa.array(["b", None, "a"]).cast(arrow), pa.array(["unseen", "a"]).cast(arrow)])
    matrix = to_matrix(pa.table({"x": column}), [Feature("x", "VARCHAR", ["a", "b"])])
    np.testing.assert_array_equal(matrix[:, 0], [1, math.nan, 0, math.nan, 0])


def test_no_rows() -> None:
    assert to_matrix(pa.table({"x": pa.array([], pa.float64())}), [Feature("x", "DOUBLE")]).shape == (0, 1)
