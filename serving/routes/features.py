"""POST /features/{view}."""

import math
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from ml.field_types import encode
from serving.problems import Problem
from serving.release import OnlineView, Release
from serving.routes.state import current_release
from serving.strict_json import json_body, read_object

router = APIRouter(tags=["features"])

BODY = json_body(
    keys={"type": "array", "minItems": 1, "items": {"type": "object"}, "description": "The entity's key columns."}
)


@router.post("/features/{view}", openapi_extra=BODY)
async def features(view: str, request: Request) -> dict[str, Any]:
    """The stored features of entities: the latest version of a view by its name, or `<view>_v<N>`.

    Each value has a status: `present`, `null`, `nan`, `not_found` (no such entity) or `expired` (older than the view's
    ttl at the release's time).
    """
    settings = request.app.state.settings
    release = current_release(request)
    online = release.view(view)
    if online is None:
        raise Problem(404, f"no such feature view in the release; the views are {', '.join(release.views) or 'none'}")
    body = await read_object(request, settings.max_body_bytes, {"keys"})
    keys = online.keys.check(body.get("keys"), "keys", settings.max_instances)
    return {
        "view": online.released.view,
        "version": online.released.version,
        "release": release.name,
        "rows": await run_in_threadpool(_rows, release, online, keys),
    }


def _rows(release: Release, online: OnlineView, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    now = release.now()
    table = online.file.table
    rows = []
    for key in keys:
        place, status = online.find(tuple(key.values()), now)
        values = {
            name: _value(table.column(name)[place].as_py() if status == "present" else None, status)
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


def _value(value: Any, status: str) -> dict[str, Any]:
    if status == "present" and value is None:
        status = "null"
    elif isinstance(value, float) and not math.isfinite(value):
        status = "nan"
    return {"value": encode(value), "status": status}
