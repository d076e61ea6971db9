"""Rows of orders without a fault, and what a planted fault is."""

from dataclasses import dataclass, field
from typing import Any

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


def orders(change: str = "", rows: int = 200) -> str:
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


def column(kind: str, name: str, meta: dict[str, Any], bad: str, said: str, *suggested: Any, **more: Any) -> Fault:
    """A fault of one column, which is declared with this meta."""
    is_required = more.pop("is_required", False)
    columns = {name: {"type": TYPES[name], "meta": meta, "is_required": is_required}}
    return Fault(kind, columns, bad, said, suggested or None, name, **more)
