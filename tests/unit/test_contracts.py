"""The contract where data crosses into Python."""

import datetime as dt
import decimal

import duckdb
import pyarrow as pa
import pytest

from ml.contracts.check import check_table, hold_rows
from ml.errors import ContractError

COLUMNS = {
    "id": "bigint",
    "price": "decimal(18,3)",
    "at": "timestamptz",
    "name": "varchar",
    "ratio": "double",
    "is_open": "boolean",
}


def _table() -> pa.Table:
    return pa.table(
        {
            "id": pa.array([2**53 + 1, -(2**63)], pa.int64()),
            "price": pa.array([decimal.Decimal("0.100"), None], pa.decimal128(18, 3)),
            "at": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None], pa.timestamp("us", tz="UTC")),
            "name": pa.array(["a", None]),
            "ratio": pa.array([float("nan"), None]),
            "is_open": pa.array([True, None]),
            "beside": pa.array([1, 2]),
        }
    )


def test_values_pass_unchanged() -> None:
    checked = check_table(_table(), "datasets.orders", COLUMNS, ["id"])
    expected = _table().drop_columns(["beside"])
    assert checked.schema == expected.schema
    # NaN is not equal to itself: compare the texts.
    assert str(checked.to_pylist()) == str(expected.to_pylist())


def test_every_column_that_differs_is_named() -> None:
    table = _table().set_column(4, "ratio", pa.array(["1", "2"]))
    with pytest.raises(ContractError) as error:
        check_table(table, "datasets.orders", COLUMNS, ["id", "name"])
    assert "datasets.orders does not keep its contract" in str(error.value)
    assert "name: not_nullable (1 rows)" in str(error.value)
    assert "ratio: dtype" in str(error.value)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ContractError, match="price"):
        check_table(_table().drop_columns(["price"]), "datasets.orders", COLUMNS, [])


def test_only_relations_are_held() -> None:
    with duckdb.connect() as session:
        hold_rows(session, session.sql("select 1 as x"), "_rows", "labels.votes")
        assert session.execute('select * from "_rows"').fetchall() == [(1,)]
        with pytest.raises(ContractError, match=r"labels\.votes: the model returned Table"):
            hold_rows(session, pa.table({"x": [1]}), "_rows", "labels.votes")
