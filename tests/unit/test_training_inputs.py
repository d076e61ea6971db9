"""Why a version is trained: what differs, in words, and only what it learned from."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from ml.scoring.signature import RequestField, ViewInput
from ml.training.inputs import reason_to_train, training_inputs
from ml.training.spec import ModelSpec
from tests.recorded import DEFINITION, record

DECLARATION: dict[str, Any] = {"task": "binary", "dataset": "orders", "target": "is_late", "estimator": "lightgbm"}


@pytest.fixture
def inputs() -> dict[str, Any]:
    return {
        "columns": {"x": "1", "color": "2", "is_late": "3", "id": "4", "at": "5"},
        "features": ["x", "color"],
        "request": [{"name": "color", "type": "VARCHAR", "required": True}],
        "views": {"shop_v1": {"entity": ["shop"], "ttl_seconds": 60.0, "features": {"x": "DOUBLE"}}},
        "expressions": {},
        "declaration": {"task": "binary", "seed": 1},
        "parameters": {"num_leaves": 31},
        "code": "c",
    }


def _changed(inputs: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return copy.deepcopy(inputs) | parts


def test_nothing_differs(inputs: dict[str, Any]) -> None:
    assert reason_to_train(inputs, copy.deepcopy(inputs), "is_late") == ""
    assert reason_to_train(None, inputs, "is_late") == "first version"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"declaration": {"task": "binary", "seed": 2}}, "seed: 1 -> 2"),
        (
            {"parameters": {"num_leaves": 63, "lambda_l2": 1}},
            "parameters.num_leaves: 31 -> 63; parameters.lambda_l2: default -> 1",
        ),
        ({"code": "d"}, "training code changed"),
        ({"features": ["x"], "columns": {"x": "1", "is_late": "3", "id": "4", "at": "5"}}, "features left out: color"),
        ({"features": ["x", "color", "y"]}, "new features: y"),
        (
            {"columns": {"x": "9", "color": "2", "is_late": "8", "id": "4", "at": "5"}},
            "columns changed: x, is_late (target)",
        ),
        ({"columns": {"x": "a", "color": "b", "is_late": "c", "id": "d", "at": "e"}}, "other rows"),
        ({"views": {}}, "views changed: shop_v1"),
        ({"request": []}, "request changed"),
    ],
)
def test_what_differs_is_said(inputs: dict[str, Any], parts: dict[str, Any], reason: str) -> None:
    assert reason_to_train(inputs, _changed(inputs, **parts), "is_late") == reason


def test_what_a_model_does_not_use_is_none_of_its_inputs(tmp_path: Path) -> None:
    """Another column of the dataset, of a view or of the request; how it is promoted; the view's fingerprint."""
    spec = ModelSpec.parse("late", DECLARATION)
    names = {
        "id": "VARCHAR",
        "seen_at": "TIMESTAMP",
        "shop": "VARCHAR",
        "x": "DOUBLE",
        "y": "DOUBLE",
        "is_late": "BOOLEAN",
    }
    rows = "select 'a' as id, now() as seen_at, 's' as shop, 1 as x, 2 as y, true as is_late"
    request = {"shop": {"type": "VARCHAR", "required": True}, "y": {"type": "DOUBLE", "required": False}}
    version = record(tmp_path, 1, names, rows, request=request)
    hashed = dataclasses.replace(version, column_hashes=dict.fromkeys(names, "1"))
    seen = ViewInput("shops", 1, "f", ["shop"], None, {"x": "DOUBLE"})
    before = training_inputs(spec, DECLARATION, hashed, ["x"], [seen], [], {})

    other = dataclasses.replace(
        hashed,
        column_hashes=hashed.column_hashes | {"y": "2"},
        definition=DEFINITION | {"columns": names, "request": {"shop": request["shop"]}},
    )
    widened = dataclasses.replace(seen, fingerprint="g", features={"x": "DOUBLE", "z": "DOUBLE"})
    declared = DECLARATION | {"promote": {"metric": "auc"}}
    assert training_inputs(spec, declared, other, ["x"], [widened], [], {}) == before
    assert RequestField("shop", "VARCHAR", True) in hashed.request

    changed = dataclasses.replace(hashed, column_hashes=hashed.column_hashes | {"x": "2"})
    now = training_inputs(spec, DECLARATION, changed, ["x"], [seen], [], {})
    assert reason_to_train(before, now, "is_late") == "columns changed: x"
