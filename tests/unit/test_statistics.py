"""macros/statistics against plain Python and numpy."""

import datetime as dt
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.register_assert_rewrite("tests.statistics")
from tests.statistics import MACROS, assert_statistics, rows

ARROW: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "tinyint": (pa.int8(), st.integers(-(2**7), 2**7 - 1)),
    "integer": (pa.int32(), st.integers(-3, 3)),
    "bigint": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "ubigint": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "decimal(38, 10)": (pa.decimal128(38, 10), st.decimals(-(10**27), 10**27, places=10)),
    "double": (pa.float64(), st.floats() | st.floats(-1, 1) | st.sampled_from([0.0, -0.0])),
    "float": (pa.float32(), st.floats(width=32)),
    "boolean": (pa.bool_(), st.booleans()),
    "varchar": (pa.string(), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)),
    "date": (pa.date32(), st.dates()),
    "timestamp": (pa.timestamp("us"), st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))),
    "timestamptz": (
        pa.timestamp("us", tz="UTC"),
        st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),
    ),
    "integer[]": (pa.list_(pa.int32()), st.lists(st.none() | st.integers(0, 9), max_size=3)),
    "struct(a integer)": (pa.struct([("a", pa.int32())]), st.fixed_dictionaries({"a": st.integers(0, 9)})),
}


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("load icu; set TimeZone = 'Asia/Kathmandu'")
    return connection


@pytest.mark.parametrize("sql_type", ARROW)
@settings(max_examples=15)
@given(data=st.data())
def test_every_carried_type(connection: duckdb.DuckDBPyConnection, sql_type: str, data: st.DataObject) -> None:
    arrow, strategy = ARROW[sql_type]
    values = data.draw(st.lists(st.none() | strategy, max_size=40))
    connection.register("given_rows", pa.table({'a "column"': pa.array(values, arrow)}))
    (found,) = rows(connection, MACROS.statistics("given_rows", {'a "column"': sql_type}))
    assert_statistics(found, pa.array(values, arrow).to_pylist())
