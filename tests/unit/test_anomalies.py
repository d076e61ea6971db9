"""Every kind of anomaly: found where the fault was planted, and alone; nothing where there is no fault."""

from dataclasses import dataclass, field
from typing import Any

import duckdb
import pytest

from tests.schemas import declared, find

ORDERS = """
    i * 7919 % 100003 as id,
    i as place,
    ['new', 'paid', 'sent'][1 + i % 3] as state,
    exp((i * 37 % 200) / 40.0) as amount,
    if(i % 5 = 0, null, 'A' || i % 40) as code,
    range(1 + i % 3) as items,
    timestamptz '2024-01-01T00:00:00Z' + to_hours(i) as paid_at"""
TYPES: dict[str, Any] = {
    "id": "bigint",
    "state": "varchar",
    "amount": "double",
    "code": "varchar",
    "items": "bigint[]",
    "paid_at": "timestamptz",
}


def _orders(change: str = "", rows: int = 200) -> str:
    replaced = f"replace ({change})" if change else ""
    return f"select * exclude (place) {replaced} from (select {ORDERS} from range({rows}) as t (i))"


@dataclass(frozen=True)
class Fault:
    """A kind with what is declared, the faulty rows, what is said of them, and what is suggested: (path, was, value)."""

    kind: str
    columns: dict[str, Any]
    bad: str
    said: str
    suggested: tuple[Any, ...] | None = None
    feature: str = "(all)"
    severity: str = "error"
    schema: dict[str, Any] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)
    beside: tuple[str, ...] = ()


def _column(kind: str, name: str, meta: dict[str, Any], bad: str, said: str, *suggested: Any, **more: Any) -> Fault:
    is_required = more.pop("is_required", False)
    columns = {name: {"type": TYPES[name], "meta": meta, "is_required": is_required}}
    return Fault(kind, columns, bad, said, suggested or None, name, **more)


STATES = ["new", "paid", "sent"]
DRIFT = """(select 'shop.orders' as relation, '{comparison}' as comparison, window_at, 'all' as slice, 'amount' as feature,
    'ks' as method, 0.4 as value, 0.1 as threshold, max(amount) > 200 as is_drifted from given group by window_at)"""
FAULTS = [
    _column(
        "out_of_domain",
        "state",
        {"domain": STATES},
        _orders("if(place < 10, 'gone', state) as state"),
        "10 of 200 values (5 %) are outside of its domain, such as 'gone' (10)",
        ["domain", "values"],
        STATES,
        [*STATES, "gone"],
    ),
    _column(
        "out_of_domain",
        "state",
        {"domain": {"values": STATES, "max_share": 0.04}},
        _orders("if(place < 10, upper(state), state) as state"),
        "such as 'NEW' (4), 'PAID' (3), 'SENT' (3)",
        ["domain", "values"],
        STATES,
        [*STATES, "NEW", "PAID", "SENT"],
    ),
    _column(
        "pattern",
        "code",
        {"domain": {"pattern": "A\\d+"}},
        _orders("replace(code, 'A1', 'x') as code"),
        "do not match A\\d+, such as 'x",
    ),
    _column(
        "below_range",
        "amount",
        {"domain": {"min": 0}},
        _orders("if(place < 2, -place - 1, amount) as amount"),
        "2 of 200 values (1 %) lie below 0, such as '-2.0' (1), '-1.0' (1)",
        ["domain", "min"],
        "0",
        "-2.0",
    ),
    _column(
        "above_range",
        "amount",
        {"domain": {"max": 200}},
        _orders("if(place < 3, 1000, amount) as amount"),
        "3 of 200 values (1.5 %) lie above 200, such as '1000.0' (3)",
        ["domain", "max"],
        "200",
        "1000.0",
    ),
    _column(
        "above_range",
        "paid_at",
        {"domain": {"max": "2024-12-31"}},
        _orders("if(place = 3, '2034-01-10T00:00:00Z', paid_at) as paid_at"),
        "such as '2034-01-10",
        ["domain", "max"],
        "cast('2024-12-31' as TIMESTAMP WITH TIME ZONE)",
        "2034-01-10 00:00:00+00",
    ),
    _column(
        "nan",
        "amount",
        {"domain": {"min": 0}},
        _orders("if(place < 3, 'nan', amount) as amount"),
        "3 NaN in 200 rows",
        ["domain", "nan"],
        None,
        True,
    ),
    _column(
        "infinite",
        "amount",
        {"domain": {"infinite": False}},
        _orders("if(place < 3, '-inf', amount) as amount"),
        "3 infinities",
        ["domain", "infinite"],
        None,
        True,
    ),
    _column(
        "null_in_required",
        "amount",
        {},
        _orders("if(place < 3, null, amount) as amount"),
        "is not null, and 3 of 200 rows have none",
        is_required=True,
    ),
    _column(
        "low_fraction_present",
        "code",
        {"presence": {"min_fraction": 0.8}},
        _orders("if(place < 10, null, code) as code"),
        "has a value in 0.76 of the rows, and at least 0.8 are declared",
        ["presence", "min_fraction"],
        0.8,
        0.76,
    ),
    _column(
        "low_count_present",
        "code",
        {"presence": {"min_count": 160}},
        _orders("if(place < 10, null, code) as code"),
        "has 152 values, and at least 160",
        ["presence", "min_count"],
        160,
        152,
    ),
    _column("never_present", "code", {}, _orders("null::varchar as code"), "has no value in 200 rows"),
    _column(
        "short_list",
        "items",
        {"valency": {"min": 1}},
        _orders("if(place = 7, [], items) as items"),
        "has a list of 0, and at least 1",
        ["valency", "min"],
        1,
        0,
    ),
    _column(
        "long_list",
        "items",
        {"valency": {"max": 3}},
        _orders("if(place = 7, range(9), items) as items"),
        "has a list of 9, and at most 3",
        ["valency", "max"],
        3,
        9,
    ),
    _column(
        "few_distinct",
        "code",
        {"distinct": {"min": 20}},
        _orders("left(code, 2) as code"),
        "has 8 values that differ, and at least 20",
        ["distinct", "min"],
        20,
        8,
    ),
    _column(
        "many_distinct",
        "code",
        {"distinct": {"max": 32}},
        _orders("code || id as code"),
        "has 160 values that differ, and at most 32",
        ["distinct", "max"],
        32,
        160,
    ),
    _column("constant", "id", {}, _orders("5::bigint as id"), "has one value, 5, and had", severity="warning"),
    _column(
        "unit_change",
        "amount",
        {},
        _orders("amount * 1.609344 as amount"),
        "has quantiles 1.609 times those of the window before, as of miles to kilometres",
    ),
    _column(
        "scale_change",
        "amount",
        {},
        _orders("amount * 7 as amount"),
        "has quantiles 7 times those of the window before",
        severity="warning",
    ),
    _column(
        "deprecated_used",
        "code",
        {"lifecycle": "deprecated"},
        _orders(),
        "is deprecated, and 160 of 200 rows have it",
        ["lifecycle"],
        "deprecated",
        "production",
        severity="warning",
    ),
    _column(
        "value_disappeared",
        "state",
        {"domain": STATES},
        _orders("if(state = 'paid', 'sent', state) as state"),
        "has no more 'paid' (67 expected)",
        ["domain", "values"],
        STATES,
        ["new", "sent"],
    ),
    _column(
        "value_disappeared",
        "state",
        {},
        _orders("if(state = 'paid', 'sent', state) as state"),
        "has no more 'paid' (67 expected)",
        severity="warning",
    ),
    _column(
        "drift",
        "amount",
        {},
        _orders("if(place < 30, 1000, amount) as amount"),
        "differs from reference in this window and in the one before (ks 0.4, threshold 0.1)",
        severity="warning",
        rest={"drift": DRIFT.format(comparison="reference")},
    ),
    _column(
        "skew",
        "amount",
        {},
        _orders("if(place < 30, 1000, amount) as amount"),
        "differs from training",
        severity="warning",
        rest={"drift": DRIFT.format(comparison="training")},
    ),
    _column(
        "check",
        "amount",
        {},
        _orders("if(place < 3, -1, amount) as amount"),
        "3 of 200 rows break the check amount > 0, such as '-1.0' (3)",
        rest={"checks": [{"feature": "amount", "expression": "amount > 0"}]},
    ),
    Fault(
        "duplicate_key",
        {},
        _orders("if(place < 3, 7, id) as id"),
        "2 of 200 rows repeat the key, unique (id), such as '7' (2)",
        rest={"key": ["id"]},
    ),
    Fault(
        "missing_column",
        {},
        f"select * exclude (code) from ({_orders()})",
        "is declared and not there",
        (["lifecycle"], None, "deprecated"),
        "code",
    ),
    Fault(
        "new_column",
        {},
        f"select *, 1 as other from ({_orders()})",
        "is not declared; it is INTEGER",
        (["data_type"], None, "integer"),
        "other",
        "warning",
    ),
    Fault(
        "wrong_type",
        {"code": "double"},
        _orders(),
        "is VARCHAR, and double is declared",
        (["data_type"], "double", "varchar"),
        "code",
    ),
    Fault(
        "future_rows",
        {},
        _orders(),
        "200 rows lie after the clock, which stands at 2024-01-15T00:00:00Z",
        rest={"as_of": "2024-01-15"},
    ),
    Fault("no_rows", {}, _orders(rows=0), "no row came; the last window that has any has 200"),
    Fault(
        "few_rows",
        {},
        _orders(rows=180),
        "180 rows came, and at least 200 are declared",
        (["min_rows"], 200, 180),
        schema={"min_rows": 200},
    ),
    Fault(
        "many_rows",
        {},
        _orders(rows=220),
        "220 rows came, and at most 200 are declared",
        (["max_rows"], 200, 220),
        schema={"max_rows": 200},
    ),
    Fault(
        "low_row_ratio",
        {},
        _orders(rows=150),
        "150 rows came after 200, a ratio of 0.75, and at least 0.9 is declared",
        (["min_ratio"], 0.9, 0.75),
        schema={"min_ratio": 0.9},
    ),
    Fault(
        "high_row_ratio",
        {},
        _orders(rows=250),
        "250 rows came after 200, a ratio of 1.25, and at most 1.1 is declared",
        (["max_ratio"], 1.1, 1.25),
        schema={"max_ratio": 1.1},
    ),
]


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as made:
        yield made


def test_without_a_fault_nothing_is_found(connection: duckdb.DuckDBPyConnection) -> None:
    """All that is declared anywhere below, in as few schemas as can hold it."""
    together: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = []
    for fault in (fault for fault in FAULTS if fault.bad != _orders()):
        for columns, schema, rest in together:
            if not (columns.keys() & fault.columns.keys() or rest.keys() & fault.rest.keys()):
                columns |= fault.columns
                schema |= fault.schema
                rest |= fault.rest
                break
        else:
            together.append((dict(fault.columns), dict(fault.schema), dict(fault.rest)))
    for columns, schema, rest in together:
        assert find(connection, [_orders(), _orders()], declared(TYPES | columns, schema), **rest) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.feature}")
def test_a_fault_is_found_and_alone(connection: duckdb.DuckDBPyConnection, fault: Fault) -> None:
    found = find(connection, [_orders(), fault.bad], declared(TYPES | fault.columns, fault.schema), **fault.rest)
    named = [one for one in found if one["kind"] == fault.kind]
    assert [(one["feature"], one["severity"]) for one in named] == [(fault.feature, fault.severity)], found
    assert {one["kind"] for one in found} == {fault.kind, *fault.beside}
    assert fault.said in named[0]["text"] and named[0]["text"].startswith("shop.orders")
    change = named[0]["suggested_change"]
    assert (change and (change["path"], change["was"], change["value"])) == fault.suggested
