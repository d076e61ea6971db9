"""Values survive JSON, Python and Arrow; what does not fit is refused without being echoed."""

import datetime as dt
import decimal
import json
import tempfile
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.field_types import CARRIED, arrow_type, canonical, decode, encode, is_key, is_scalar, sql_type

VALUES = {
    "TINYINT": st.integers(-(2**7), 2**7 - 1),
    "INTEGER": st.integers(-(2**31), 2**31 - 1),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "UBIGINT": st.integers(0, 2**64 - 1),
    "VARCHAR": st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    "BOOLEAN": st.booleans(),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "DATE": st.dates(),
    "TIMESTAMP WITH TIME ZONE": st.datetimes(min_value=dt.datetime(1970, 1, 2), timezones=st.just(dt.UTC)),
    "DECIMAL(18,3)": st.decimals(-(10**14), 10**14, places=3),
}


@given(st.data(), st.sampled_from(sorted(VALUES)))
def test_round_trip(data: st.DataObject, sql_type: str) -> None:
    value = data.draw(VALUES[sql_type])
    sent = json.loads(json.dumps(encode(value)))
    found = decode(sent, sql_type)
    assert found == value
    assert pa.array([found], arrow_type(sql_type))[0].as_py() == value


@pytest.mark.parametrize(
    ("value", "sql_type"),
    [
        ("1", "BIGINT"),
        (1.0, "BIGINT"),
        (True, "INTEGER"),
        (2**63, "BIGINT"),
        (-1, "UBIGINT"),
        (1, "VARCHAR"),
        ("a\x00b", "VARCHAR"),
        ("yes", "BOOLEAN"),
        (1, "BOOLEAN"),
        (float("nan"), "DOUBLE"),
        (float("inf"), "DOUBLE"),
        (10**400, "DOUBLE"),
        ("1", "DOUBLE"),
        (1e39, "FLOAT"),
        ("2013-12-31T14:00:00", "TIMESTAMPTZ"),
        ("2013-12-31", "TIMESTAMPTZ"),
        (1388498400, "TIMESTAMPTZ"),
        ("0001-01-01T00:00:00+23:00", "TIMESTAMPTZ"),
        ("2013-13-01", "DATE"),
        (1, "DATE"),
        ("1.2345", "DECIMAL(9,3)"),
        ("1000000", "DECIMAL(9,3)"),
        ("NaN", "DECIMAL(9,3)"),
        ("1e1000000", "DECIMAL(9,2)"),
        ("1_0", "DECIMAL(9,2)"),
        (2**53 + 1, "DOUBLE"),
        ("2024-05-31T08:30:00.1234567Z", "TIMESTAMPTZ"),
        ("2024-05-31?08:30:00Z", "TIMESTAMPTZ"),
        ("2024-W01-1", "DATE"),
        ("2024-05-31\n", "DATE"),
        ("1\n", "DECIMAL(9,2)"),
        ("infinity", "TIMESTAMPTZ"),
        ([1], "INTEGER"),
        ({}, "VARCHAR"),
    ],
)
def test_refused_without_echo(value: Any, sql_type: str) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        decode(value, sql_type)
    assert "1388498400" not in str(error.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(10**60), 10**60) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
decimals = st.from_regex(r"-?[0-9]{1,50}(\.[0-9]{1,50})?(e[+-]?[0-9]{1,2})?", fullmatch=True)
times = st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9](Z|[+-][0-2][0-9]:00)?", fullmatch=True)


@given(json_values | decimals | times, st.sampled_from([*sorted(VALUES), "FLOAT", "TIMESTAMP", "DECIMAL(38,38)"]))
def test_any_json_value_is_decoded_or_refused(value: Any, sql_type: str) -> None:
    try:
        found = decode(value, sql_type)
    except ValueError:
        return
    pa.array([found], arrow_type(sql_type))


def test_a_decimal_of_full_width() -> None:
    assert decode("9" * 38, "DECIMAL(38,0)") == decimal.Decimal("9" * 38)


def test_null_is_null() -> None:
    assert all(decode(None, sql_type) is None for sql_type in VALUES)


def test_no_number_that_json_lacks() -> None:
    assert encode([float("nan"), float("inf"), {"a": float("-inf")}]) == [None, None, {"a": None}]
    assert encode(decimal.Decimal("1.10")) == "1.10"


@pytest.mark.parametrize(
    ("spelled", "named"),
    [
        ("timestamp  with time zone", "TIMESTAMP WITH TIME ZONE"),
        ("timestamptz", "TIMESTAMP WITH TIME ZONE"),
        ("numeric(9, 2)", "DECIMAL(9,2)"),
        ("dec", "DECIMAL(18,3)"),
        ("int[]", "INTEGER[]"),
        ("float[3][]", "FLOAT[3][]"),
        ("struct(a integer, b varchar[])", "STRUCT(a INTEGER, b VARCHAR[])"),
        ('Struct("A, b)" int8)', 'STRUCT("A, b)" BIGINT)'),
        ("varchar(10)", "VARCHAR"),
    ],
)
def test_one_spelling_of_a_type(spelled: str, named: str) -> None:
    assert canonical(spelled) == named
    assert arrow_type(spelled) == arrow_type(named)


@given(st.sampled_from(sorted({row[0] for row in duckdb.sql("select type_name from duckdb_types()").fetchall()})))
def test_any_type_of_duckdb_is_carried_unchanged_or_refused(name: str) -> None:
    """What is carried comes back from Arrow and from Parquet as the type that it was."""
    try:
        arrow_type(name)
    except TypeError as error:
        assert str(error).endswith(", ".join(CARRIED))
        return
    with duckdb.connect() as connection, tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.sql(f"select cast(null as {name}) as value").to_arrow_table()
        assert rows.schema.field("value").type == arrow_type(name)
        assert connection.sql("select typeof(value) from rows").fetchall() == [(canonical(name),)]
        connection.execute(f"copy rows to '{file.name}' (format parquet)")
        assert connection.sql(f"select typeof(value) from '{file.name}'").fetchall() == [(canonical(name),)]


@pytest.mark.parametrize("text", ["foo", "int); drop table x; --", "float[0]", "struct(int)", ""])
def test_what_is_no_type_is_said_to_be_none(text: str) -> None:
    with pytest.raises(TypeError, match="is no type"):
        arrow_type(text)


def test_keys_are_scalars_with_one_form() -> None:
    assert is_key("int") and is_key("numeric(9,2)") and is_key("timestamptz")
    assert not is_key("double") and not is_key("real") and not is_key("int[]")
    assert is_scalar("double") and not is_scalar("float[3]") and not is_scalar("hugeint")


def test_there_and_back_from_arrow() -> None:
    assert [sql_type(arrow_type(name)) for name in VALUES] == list(VALUES)
    with pytest.raises(TypeError, match="cannot be carried"):
        sql_type(pa.time64("us"))


def test_types_that_are_not_carried_are_named() -> None:
    with pytest.raises(
        TypeError, match=r"MAP\(VARCHAR, VARCHAR\) is not carried unchanged; cast it to a list of STRUCT"
    ):
        arrow_type("MAP(VARCHAR, VARCHAR)")
