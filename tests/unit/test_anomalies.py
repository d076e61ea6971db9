"""Every kind of anomaly: found where the fault was planted, and alone; nothing where there is no fault; gone once accepted."""

from typing import Any

import duckdb
import pytest
import yaml

from ml.schemas.accept import merged
from ml.schemas.yaml_edit import edited
from tests.planted import TYPES, Fault, orders
from tests.planted_faults import FAULTS
from tests.schemas import declared, find, judge


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as made:
        yield made


def test_without_a_fault_nothing_is_found(connection: duckdb.DuckDBPyConnection) -> None:
    """All that is declared anywhere below, in as few schemas as can hold it."""
    together: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = []
    for fault in (fault for fault in FAULTS if fault.bad != orders()):
        for columns, schema, rest in together:
            if not (columns.keys() & fault.columns.keys() or rest.keys() & fault.rest.keys()):
                columns |= fault.columns
                schema |= fault.schema
                rest |= fault.rest
                break
        else:
            together.append((dict(fault.columns), dict(fault.schema), dict(fault.rest)))
    for columns, schema, rest in together:
        assert find(connection, [orders(), orders()], declared(TYPES | columns, schema), **rest) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.feature}")
def test_a_fault_is_found_and_alone(connection: duckdb.DuckDBPyConnection, fault: Fault) -> None:
    found = find(connection, [orders(), fault.bad], declared(TYPES | fault.columns, fault.schema), **fault.rest)
    named = [one for one in found if one["kind"] == fault.kind]
    assert [(one["feature"], one["severity"]) for one in named] == [(fault.feature, fault.severity)], found
    assert {one["kind"] for one in found} == {fault.kind}
    assert fault.said in named[0]["text"] and named[0]["text"].startswith("shop.orders")
    change = named[0]["suggested_change"]
    assert (change and (change["path"], change["was"], change["value"])) == fault.suggested
    if change and fault.suggested and change["value"] is not None:
        assert judge(connection, *_accepted(fault, change), **fault.rest) == []


def _accepted(fault: Fault, suggestion: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The schema that the YAML declares when a suggestion has been put into it."""
    columns = [
        {"name": name, "data_type": column["type"], "config": {"meta": column.get("meta", {})}}
        if isinstance(column, dict)
        else {"name": name, "data_type": column}
        for name, column in (TYPES | fault.columns).items()
    ]
    model = {"name": "orders", "config": {"meta": {"schema": fault.schema}}, "columns": columns}
    text = yaml.safe_dump({"models": [model]}, sort_keys=False)
    (change,) = merged([suggestion])
    new = yaml.safe_load(edited(text, change.model, change.column, list(change.path), change.value))["models"][0]
    accepted = {
        one["name"]: {"type": one["data_type"], "meta": one.get("config", {}).get("meta")} for one in new["columns"]
    }
    return (declared(accepted, new["config"]["meta"]["schema"]),)


def test_a_unit_that_is_right_again_is_no_change(connection: duckdb.DuckDBPyConnection) -> None:
    wrong = "select * exclude (amount), amount * 1.609344 as amount from {rows}"
    windows = [orders(), orders(), orders(), wrong.format(rows=f"({orders()})"), orders()]
    assert [one["kind"] for one in find(connection, windows, declared(TYPES, {}))] == []
    assert [one["kind"] for one in find(connection, windows[:-1], declared(TYPES, {}))] == ["unit_change"]
