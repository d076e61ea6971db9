"""Rows keep the schema that was inferred from them, whatever they are."""

from typing import Any

import duckdb
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.contracts.inference import infer
from ml.contracts.yaml_text import as_model, to_yaml
from ml.schemas.declaration import MAX_VALUES
from ml.schemas.inference import watch
from tests.planted import orders
from tests.schemas import declared, find
from tests.unit.test_contract_inference import VALUES


def _inferred(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, Any]:
    """The columns of an inferred schema, as read back from its YAML."""
    contract = infer(connection, relation, max_values=MAX_VALUES)
    model = as_model(connection, contract, "orders")
    watch(model, contract)
    read = yaml.safe_load("models:\n" + to_yaml(model))["models"][0]
    return {
        column["name"]: {
            "type": column["data_type"],
            "is_required": {"type": "not_null"} in column.get("constraints", []),
            "meta": column.get("config", {}).get("meta", {}),
        }
        for column in read["columns"]
    }


def test_what_is_inferred() -> None:
    with duckdb.connect() as connection:
        connection.execute(f"create table given_orders as {orders()}")
        columns = _inferred(connection, "given_orders")
    assert {name: column["meta"] for name, column in columns.items()} == {
        "id": {"domain": {"min": 0}},
        "state": {"domain": {"values": ["new", "paid", "sent"]}},
        "amount": {"domain": {"min": 0, "max": 150}},
        "code": {"presence": {"min_fraction": 0.8}},
        "items": {"valency": {"min": 1, "max": 3}},
        "paid_at": {},
    }
    assert not columns["code"]["is_required"] and columns["state"]["is_required"]


@settings(max_examples=8)
@given(st.data())
def test_rows_keep_the_schema_that_was_inferred_from_them(data: st.DataObject) -> None:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        kinds = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4))
        rows = data.draw(st.lists(st.tuples(*(st.none() | VALUES[kind] for kind in kinds)), min_size=1, max_size=6))
        connection.execute(f"create table drawn ({', '.join(f'c{place} {kind}' for place, kind in enumerate(kinds))})")
        places = ", ".join([f"({', '.join('?' * len(kinds))})"] * len(rows))
        connection.execute(f"insert into drawn values {places}", [value for row in rows for value in row])
        connection.execute("insert into drawn select drawn.* from drawn, range(29)")
        found = find(connection, ["select * from drawn"] * 2, declared(_inferred(connection, "drawn")))
        assert found == []
