"""Columns that are read from mapped pages beside what Arrow gives."""

import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.expressions.column import from_arrow, from_values
from ml.expressions.types import parse_type
from ml.field_types import arrow_type
from ml.release.feature_file import FeatureFile, write_feature_file
from ml.release.stored_column import StoredColumn
from ml.scoring.matrix import MatrixOfColumns, to_matrix
from ml.scoring.signature import Feature

MOMENTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "TINYINT": st.integers(-(2**7), 2**7 - 1),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "UBIGINT": st.integers(0, 2**64 - 1),
    "DOUBLE": st.floats(),
    "FLOAT": st.floats(width=32),
    "BOOLEAN": st.booleans(),
    "VARCHAR": st.text(max_size=4),
    "DATE": st.dates(),
    "TIMESTAMP": MOMENTS,
    "TIMESTAMPTZ": MOMENTS.map(lambda moment: moment.replace(tzinfo=dt.UTC)),
    "DECIMAL(20,3)": st.decimals(-(10**16), 10**16, places=3),
}
COLUMNS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.lists(st.none() | VALUES[kind], min_size=1, max_size=20))
)


@given(column=COLUMNS, data=st.data())
def test_what_is_taken_is_what_arrow_takes(column: tuple[str, list[Any]], data: st.DataObject) -> None:
    sql_type, values = column
    array = pa.array(values, arrow_type(sql_type))
    places = np.array(data.draw(st.lists(st.integers(0, len(values) - 1), min_size=1, max_size=5)))
    taken = StoredColumn(pa.chunked_array([array])).take(places)
    kind = parse_type(sql_type)
    expected = array.take(pa.array(places))
    assert taken.null.tolist() == expected.is_null().to_pylist()
    if kind is None:
        return
    for other in (from_arrow(expected, kind), from_values(expected.to_pylist(), array.type)):
        assert taken.values.dtype == other.values.dtype
        present = ~other.null
        np.testing.assert_array_equal(taken.values[present], other.values[present])


@given(column=COLUMNS)
def test_an_item_is_the_value_itself(column: tuple[str, list[Any]]) -> None:
    sql_type, values = column
    array = pa.array(values, arrow_type(sql_type))
    stored = StoredColumn(pa.chunked_array([array]))
    for place, value in enumerate(array.to_pylist()):
        if value is not None:
            assert stored.item(place) == value or value != value


@given(column=COLUMNS, is_category=st.booleans())
def test_a_matrix_of_columns_is_that_of_the_table(column: tuple[str, list[Any]], is_category: bool) -> None:
    sql_type, values = column
    array = pa.array(values, arrow_type(sql_type))
    is_number = not (pa.types.is_string(array.type) or pa.types.is_temporal(array.type))
    if pa.types.is_temporal(array.type) or (is_category and pa.types.is_floating(array.type)):
        return
    categories = None
    if is_category or not is_number:
        categories = sorted({text for text in array.cast(pa.string()).to_pylist() if text is not None})[:2]
    features = [Feature("it", sql_type, categories)]
    taken = StoredColumn(pa.chunked_array([array])).take(np.arange(len(values)))
    found = np.empty((len(values), 1))
    MatrixOfColumns(features).fill({"it": taken}, found)
    np.testing.assert_array_equal(found, to_matrix(pa.table({"it": array}), features))


def test_the_pages_of_a_file_are_not_copied(tmp_path: Path) -> None:
    table = pa.table({"key": pa.array(range(1000), pa.int64()), "value": pa.array(np.arange(1000.0))})
    write_feature_file(table, ["key"], tmp_path / "view")
    before = pa.total_allocated_bytes()
    file = FeatureFile(tmp_path / "view", ["key"])
    assert pa.total_allocated_bytes() == before
    assert not file.columns["value"].values.flags.owndata


def test_lists_are_not_taken_as_a_column() -> None:
    stored = StoredColumn(pa.chunked_array([pa.array([[1]])]))
    with pytest.raises(TypeError, match="list"):
        stored.take(np.array([0]))


def test_a_decimal_is_its_digits() -> None:
    array = pa.array([decimal.Decimal("1.250")], pa.decimal128(20, 3))
    assert StoredColumn(pa.chunked_array([array])).take(np.array([0])).values.tolist() == [1250]
