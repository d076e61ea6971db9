"""POST /features/{view}."""

from math import isfinite
from typing import Any, Literal

import orjson
import pyarrow as pa
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from ml.field_types import INTEGERS, arrow_type, encode
from ml.json_values import to_json
from serving.problems import NO_RELEASE, NO_SUCH_NAME, WRONG_BODY, refusals
from serving.releases.online_view import OnlineView
from serving.releases.release import Release
from serving.requests.instances import Row
from serving.requests.strict_json import json_body, read_object
from serving.requests.whole_answer import WholeAnswer
from serving.routes.state import current_release, stored_view

router = APIRouter(tags=["features"])

# Values that Python and JSON have as they are.
_PLAIN = {pa.string(), pa.bool_(), pa.float64(), pa.float32(), *(arrow_type(name) for name in INTEGERS)}


class FeatureAnswer(BaseModel):
    """A feature's value, null unless the status is `present`."""

    value: Any
    status: Literal["present", "null", "nan", "not_found", "expired"]
    special: dict[str, str] | None = Field(
        None,
        description="Where `value` holds null for what JSON has no number or time for: JSON Pointers in it to `NaN`, "
        "`Infinity`, `-Infinity`, or a time outside the years 1 to 9999.",
    )


class EntityAnswer(BaseModel):
    """One entity's stored features."""

    entity: dict[str, Any]
    event_at: str | None
    features: dict[str, FeatureAnswer]


class FeaturesAnswer(BaseModel):
    """Stored features in the order of the keys."""

    view: str
    version: int
    release: str
    rows: list[EntityAnswer]


BODY = json_body(
    keys={"type": "array", "minItems": 1, "items": {"type": "object"}, "description": "The entity's key columns."}
)


@router.post(
    "/features/{view}",
    openapi_extra=BODY,
    responses={200: {"model": FeaturesAnswer}, **refusals(NO_RELEASE | NO_SUCH_NAME | WRONG_BODY)},
)
async def features(view: str, request: Request) -> Response:
    """The stored features of entities: the latest version of a view by its name, or `<view>_v<N>`.

    Each value has a status: `present`, `null`, `nan` (not a number, infinite, or a time outside the years
    1 to 9999), `not_found` (no such entity) or `expired` (older than the view's
    ttl at the release's time). Where a value, or a part of a list or struct, is none that JSON has, null stands in its
    place and `special` says what it is: {"/2": "NaN"}.
    """
    settings = request.app.state.settings
    release = current_release(request)
    online = stored_view(release, view)
    body = await read_object(request, settings, {"keys"})
    keys = online.keys.check(body.get("keys"), "keys", settings.max_instances)
    names = {"view": online.released.view, "version": online.released.version, "release": release.name}
    return WholeAnswer(orjson.dumps(names | {"rows": _rows(release, online, keys)}))


def _rows(release: Release, online: OnlineView, keys: list[Row]) -> list[dict[str, Any]]:
    found = online.find_at(keys, release.now())
    names = online.released.columns
    answers = [_answers(online.stored(found, name), found.statuses) for name in names]
    return [
        {
            "entity": dict(zip(online.keys.types, map(encode, key), strict=True)),
            "event_at": encode(online.event_at(found, number)),
            "features": dict(zip(names, of_features, strict=True)),
        }
        for number, (key, of_features) in enumerate(zip(keys, zip(*answers, strict=True), strict=True))
    ]


def _answers(stored: pa.Array, statuses: list[str]) -> list[dict[str, Any]]:
    """A feature of entities as the answer has it."""
    if stored.type in _PLAIN:
        values = stored.to_pylist()
        answers: list[dict[str, Any]] = [
            {"value": value, "status": "null" if value is None else "present"} for value in values
        ]
        if pa.types.is_floating(stored.type):
            for place, value in enumerate(values):
                if value is not None and not isfinite(value):
                    answers[place] = _answer(stored[place])
    else:
        answers = [_answer(scalar) for scalar in stored]
    for place, status in enumerate(statuses):
        if status != "present":
            answers[place] = {"value": None, "status": status}
    return answers


def _answer(scalar: pa.Scalar) -> dict[str, Any]:
    if not scalar.is_valid:
        return {"value": None, "status": "null"}
    value, special = to_json(scalar)
    answer = {"value": value, "status": "nan" if "" in special else "present"}
    return answer | {"special": special} if special else answer
