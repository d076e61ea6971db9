"""POST /features/{view}."""

from typing import Any, Literal

import pyarrow as pa
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from ml.field_types import encode
from ml.json_values import to_json
from serving.problems import NO_RELEASE, NO_SUCH_NAME, WRONG_BODY, refusals
from serving.pushed_rows import PushedRow
from serving.release import OnlineView, Release
from serving.routes.state import current_release, stored_view
from serving.strict_json import json_body, read_object

router = APIRouter(tags=["features"])


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
async def features(view: str, request: Request) -> dict[str, Any]:
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
    return {
        "view": online.released.view,
        "version": online.released.version,
        "release": release.name,
        "rows": await run_in_threadpool(_rows, release, online, keys),
    }


def _rows(release: Release, online: OnlineView, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    now = release.now()
    rows = []
    for key in keys:
        pushed, status = online.find_pushed(tuple(key.values()), now)
        if pushed is not None:
            rows.append(_pushed_row(online, key, pushed, status))
            continue
        place, status = online.find(tuple(key.values()), now)
        values = {
            name: _value(online.file.table.column(name)[place])
            if status == "present"
            else {"value": None, "status": status}
            for name in online.released.columns
        }
        rows.append(
            {
                "entity": {name: encode(value) for name, value in key.items()},
                "event_at": encode(online.event_at(place)) if place >= 0 else None,
                "features": values,
            }
        )
    return rows


def _pushed_row(online: OnlineView, key: dict[str, Any], row: PushedRow, status: str) -> dict[str, Any]:
    schema = online.file.table.schema
    return {
        "entity": {name: encode(value) for name, value in key.items()},
        "event_at": encode(row.event_at),
        "features": {
            name: _value(pa.scalar(value, schema.field(name).type))
            if status == "present"
            else {"value": None, "status": status}
            for name, value in zip(online.released.columns, row.values, strict=True)
        },
    }


def _value(scalar: pa.Scalar) -> dict[str, Any]:
    if not scalar.is_valid:
        return {"value": None, "status": "null"}
    value, special = to_json(scalar)
    answer = {"value": value, "status": "nan" if "" in special else "present"}
    return answer | {"special": special} if special else answer
