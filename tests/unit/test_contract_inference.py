"""Proposed contracts hold on the very rows, and a row that breaks one of their rules is refused by DuckDB."""

import datetime as dt
import decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.contracts.inference import Contract, infer
from ml.contracts.yaml_text import as_model, to_yaml
from ml.quoting import quote

SPECIAL = [float("nan"), float("inf"), float("-inf"), 1e300, -1e-300]
VALUES = {
    "BIGINT": st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    "UBIGINT": st.integers(0, 2**64 - 1) | st.integers(0, 3),
    "TINYINT": st.integers(-128, 127),
    "DOUBLE": st.floats() | st.sampled_from(SPECIAL) | st.floats(0, 1),
    "DECIMAL(38,10)": st.decimals(-(10**20), 10**20, places=10),
    "VARCHAR": st.sampled_from(["it's", 'a "b"', "{{ x }}", "null", "no", "", "Zoë"]) | st.text("ab'", max_size=2),
    "BOOLEAN": st.booleans(),
    "DATE": st.dates(dt.date(2000, 1, 1), dt.date(2000, 1, 3)),
    "TIMESTAMP WITH TIME ZONE": st.datetimes(
        dt.datetime(2000, 1, 1), dt.datetime(2000, 1, 2), timezones=st.just(dt.UTC)
    ),
    "DOUBLE[]": st.lists(st.floats(), max_size=2),
}
NAMES = ["id", "order", 'a "b"', "Größe", "between", "a.b", "x y"]


def _create(connection: duckdb.DuckDBPyConnection, model: dict[str, Any]) -> None:
    """The table that dbt's DDL makes of a contract."""
    lines = []
    for column in model["columns"]:
        name = quote(column["name"]) if column.get("quote") else column["name"]
        rules = [
            "not null" if rule["type"] == "not_null" else f"check ({rule['expression']})"
            for rule in column.get("constraints", [])
        ]
        lines.append(f"{name} {column['data_type']} {' '.join(rules)}")
    lines += [f"primary key ({', '.join(rule['columns'])})" for rule in model.get("constraints", [])]
    connection.execute(f"create table contracted ({', '.join(lines)})")


def _read_back(connection: duckdb.DuckDBPyConnection, contract: Contract) -> dict[str, Any]:
    """What a project reads that the YAML was pasted into."""
    return yaml.safe_load("models:\n" + to_yaml(as_model(connection, contract, "orders")))["models"][0]


@settings(max_examples=25)
@given(st.data())
def test_the_rows_keep_what_is_proposed(data: st.DataObject) -> None:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        kinds = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=len(NAMES)))
        names = data.draw(st.permutations(NAMES))[: len(kinds)]
        rows = data.draw(st.lists(st.tuples(*(st.none() | VALUES[kind] for kind in kinds)), max_size=8))
        copies = data.draw(st.sampled_from([1, 30]))
        connection.execute(
            f"create table given ({', '.join(f'{quote(n)} {k}' for n, k in zip(names, kinds, strict=True))})"
        )
        if rows:
            places = ", ".join([f"({', '.join('?' * len(kinds))})"] * len(rows))
            connection.execute(f"insert into given values {places}", [value for row in rows for value in row])
            connection.execute(f"insert into given select given.* from given, range({copies - 1})")
        model = _read_back(connection, infer(connection, "given"))
        _create(connection, model)
        connection.execute("insert into contracted select * from given")
        assert connection.execute("select count(*) from contracted").fetchall() == [(len(rows) * copies,)]
        described = "select column_name, column_type from (describe {})"
        assert (
            connection.execute(described.format("given")).fetchall()
            == connection.execute(described.format("contracted")).fetchall()
        )


ORDERS = """
select
    i as order_id,
    ['new', 'it''s paid', 'a "b"'][1 + i % 3] as state,
    ['DE', 'FR'][1 + i % 2] || lpad(cast(i as varchar), 4, '0') as code,
    i % 97 as quantity,
    -40 + i % 90 as celsius,
    cast((i % 100) / 99.0 as double) as share,
    if(i % 10 = 0, 'nan', cast(i % 7 as varchar))::double as "order",
    cast(980 + i % 60 as decimal(9, 2)) as pressure,
    timestamptz '2024-01-01T00:00:00Z' + to_hours(i) as ordered_at,
    ordered_at + to_minutes(i % 30) as known_at,
    if(i % 4 = 0, null, known_at + interval 1 day) as paid_at
from range(1000) as orders (i)
"""


@pytest.fixture
def orders() -> Any:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"create table given as {ORDERS}")
        yield connection


def test_what_is_proposed(orders: duckdb.DuckDBPyConnection) -> None:
    model = _read_back(orders, infer(orders, "given"))
    assert model["constraints"] == [{"type": "primary_key", "columns": ["order_id"]}]
    checks = {
        column["name"]: [rule.get("expression", "not null") for rule in column.get("constraints", [])]
        for column in model["columns"]
    }
    assert checks == {
        "order_id": ["not null", "order_id >= 0"],
        "state": ["not null", """state in ('a "b"', 'it''s paid', 'new')"""],
        "code": ["not null", "length(code) = 6"],
        "quantity": ["not null", "quantity >= 0"],
        "celsius": ["not null", "celsius between -40 and 50"],
        "share": ["not null", "share between 0 and 1"],
        "order": ["not null", 'not isfinite("order") or "order" between 0 and 6'],
        "pressure": ["not null", "pressure between 980 and 1040"],
        "ordered_at": ["not null"],
        "known_at": ["not null", "known_at >= ordered_at"],
        "paid_at": ["paid_at >= known_at"],
    }
    assert [column["name"] for column in model["columns"] if "quote" in column] == ["order"]


@pytest.mark.parametrize(
    "broken",
    [
        "order_id: null",
        "order_id: 1",
        "state: 'gone'",
        "state: null",
        "code: 'DE1'",
        "quantity: -1",
        "celsius: 51",
        "share: 1.01",
        '"order": -1',
        "pressure: 0",
        "known_at: timestamptz '2020-01-01T00:00:00Z'",
        "paid_at: ordered_at",
    ],
)
def test_a_row_that_breaks_a_rule_is_refused(orders: duckdb.DuckDBPyConnection, broken: str) -> None:
    _create(orders, _read_back(orders, infer(orders, "given")))
    column, value = broken.split(": ", 1)
    row = "select * replace (cast(order_id + 2000 as bigint) as order_id) from given where order_id = 999"
    orders.execute("insert into contracted select * from given")
    orders.execute(f"insert into contracted {row}")
    orders.execute("delete from contracted where order_id = 2999")
    with pytest.raises(duckdb.ConstraintException):
        orders.execute(f"insert into contracted select * replace ({value} as {column}) from ({row})")


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ("i // 10 as a, i % 10 as b", ["a", "b"]),
        ("i % 10 as a, i // 10 % 10 as b, i // 100 as c", ["a", "b", "c"]),
        ("i % 2 as a, i % 3 as b", []),
        ("nullif(i, 3) as a, i // 2 as b, i % 2 as c", ["b", "c"]),
        ("i::double as a, i // 2 as b, i % 2 as c", ["b", "c"]),
        ("i // 2 as b, i as a", ["a"]),
    ],
)
def test_the_fewest_columns_that_are_unique(columns: str, key: list[str]) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"create table given as select {columns} from range(1000) as numbers (i)")
        assert infer(connection, "given").primary_key == key


def test_a_few_rows_say_only_types_and_nulls() -> None:
    with duckdb.connect() as connection:
        connection.execute("create table given as select 1 as a, 'x' as b, null::integer as c")
        contract = infer(connection, "given")
        assert contract.primary_key == [] and not any(column.checks for column in contract.columns)
        assert [column.null_count for column in contract.columns] == [0, 0, 1]


def test_numbers_at_the_ends_of_their_types() -> None:
    values = pa.table(
        {
            "big": pa.array([-(2**63), 2**63 - 1] * 20, pa.int64()),
            "wide": pa.array([decimal.Decimal(sign + "9" * 38) for sign in "-+"] * 20, pa.decimal128(38, 0)),
        }
    )
    with duckdb.connect() as connection:
        connection.register("given", values)
        _create(connection, _read_back(connection, infer(connection, "given")))
        connection.execute("insert into contracted select * from given")
