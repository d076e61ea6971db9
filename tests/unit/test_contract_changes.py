"""Which changes of a contract break those who read the view."""

from typing import Any

import pytest

from ml.contracts.changes import category, contract_changes


def _contract(**changed: Any) -> dict[str, Any]:
    return {
        "columns": {
            "id": {"type": "int", "constraints": ["not_null"]},
            "at": {"type": "timestamptz", "constraints": []},
            "price": {"type": "decimal(9,2)", "constraints": ["not_null", "check (price >= 0)"]},
        },
        "constraints": ["primary_key (id, at)"],
        "feature_view": {"entity": ["id"], "event_at": "at", "known_at": "at", "ttl": "2 days", "online": True},
    } | changed


def _columns(**changed: dict[str, Any] | None) -> dict[str, Any]:
    columns = _contract()["columns"] | changed
    return {"columns": {name: column for name, column in columns.items() if column is not None}}


def _view(**changed: Any) -> dict[str, Any]:
    return {"feature_view": _contract()["feature_view"] | changed}


PRICE = {"type": "numeric(9, 2)", "constraints": ["not_null", "check (price >= 0)"]}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        (_columns(price=PRICE, id={"type": "integer", "constraints": ["not_null"]}), []),
        (_columns(tax={"type": "double", "constraints": []}), [("column tax", "added", "additive")]),
        (_columns(price=None), [("column price", "removed", "breaking")]),
        (_columns(id={"type": "bigint", "constraints": ["not_null"]}), [("column id", "retyped", "breaking")]),
        (
            _columns(at={"type": "timestamptz", "constraints": ["not_null"]}),
            [("column at", "constraint added", "additive")],
        ),
        (_columns(id={"type": "int", "constraints": []}), [("column id", "constraint removed", "breaking")]),
        (
            _columns(price=PRICE | {"constraints": ["not_null", "check (price > 0)"]}),
            [("column price", "constraint changed", "breaking")],
        ),
        (
            _columns(price=PRICE | {"constraints": ["check (price > 0)", "check (price < 9)"]}),
            [
                ("column price", "constraint removed", "breaking"),
                ("column price", "constraint removed", "breaking"),
                ("column price", "constraint added", "additive"),
                ("column price", "constraint added", "additive"),
            ],
        ),
        ({"constraints": ["primary_key (id)"]}, [("the table", "constraint changed", "breaking")]),
        (_view(ttl="1 day"), [("ttl", "changed", "breaking")]),
        (_view(ttl=None), [("ttl", "changed", "breaking")]),
        (_view(entity=["id", "price"]), [("entity", "changed", "breaking")]),
        (_view(online=False), [("online", "changed", "breaking")]),
    ],
)
def test_changes(changed: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    changes = contract_changes(_contract(), _contract(**changed))
    assert [(change.what, change.change, change.kind) for change in changes] == expected
    kinds = {kind for _, _, kind in expected}
    assert category(changes) == ("breaking" if "breaking" in kinds else "additive" if kinds else "none")


def test_going_online_is_additive() -> None:
    assert category(contract_changes(_contract(**_view(online=False)), _contract())) == "additive"
