"""POST /push/{view}."""

import datetime as dt
import secrets
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from serving.problems import NO_ROOM, NO_SUCH_NAME, WRONG_BODY, Problem, refusals
from serving.pushes.push_contract import CheckedRow
from serving.releases.online_view import OnlineView
from serving.requests.strict_json import json_body, read_object
from serving.routes.state import current_release, stored_view

router = APIRouter(tags=["features"])


class PushAnswer(BaseModel):
    """What was taken; the ids are those of the rows' events, in their order."""

    view: str
    version: int
    release: str
    accepted: int
    event_ids: list[str]


BODY = json_body(
    rows={
        "type": "array",
        "minItems": 1,
        "items": {"type": "object"},
        "description": "All columns of the view: the entity, the time of the event, when it was known (the release's time "
        "unless given), and every feature, null where there is no value.",
    }
)


@router.post(
    "/push/{view}",
    openapi_extra=BODY,
    responses={200: {"model": PushAnswer}, **refusals(NO_ROOM | NO_SUCH_NAME | WRONG_BODY)},
)
async def push(view: str, request: Request) -> dict[str, Any]:
    """Give newer feature rows of entities: the latest version of a view by its name, or `<view>_v<N>`. All or none.

    When this is answered the rows are on the disk, and look-ups see them: here at once, in other workers within a second.
    An entity's newest row counts, by the time of its event and then by when it was known; of two with the same times the one
    that came first. The next `dbt run` reads them.
    """
    state = request.app.state
    release = current_release(request)
    online = stored_view(release, view)
    body = await read_object(request, state.settings, {"rows"})
    rows = await run_in_threadpool(online.contract.check, body.get("rows"), state.settings.max_instances, release.now())
    held = sum(len(one.pushed) for one in release.views.values())
    if held + len(rows) > state.settings.max_pushed_rows:
        raise Problem(503, "too many pushed rows are held; run `dbt run`, whose release takes them in", retry_after=60)
    events = _Events(online, rows)
    await state.push_log.append(await run_in_threadpool(events.lines), len(rows))
    events.take()
    state.metrics.counter("eiderdown_pushed_rows", view=online.released.name).add(len(rows))
    return {
        "view": online.released.view,
        "version": online.released.version,
        "release": release.name,
        "accepted": len(rows),
        "event_ids": events.ids,
    }


class _Events:
    """The rows of a request as events: on the disk first, then in the view."""

    def __init__(self, view: OnlineView, rows: list[CheckedRow]) -> None:
        self._view, self._rows = view, rows
        # Of one width, as is the time, so that they are in order: the first of two rows with the same times counts.
        request = secrets.token_hex(12)
        self.ids = [f"{request}{place:08x}" for place in range(len(rows))]
        self._logged_at = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def lines(self) -> bytes:
        released = self._view.released
        return b"".join(
            orjson.dumps(
                {
                    "event_id": event_id,
                    "logged_at": self._logged_at,
                    "view": released.view,
                    "version": released.version,
                    "row": self._view.contract.write(row),
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for event_id, row in zip(self.ids, self._rows, strict=True)
        )

    def take(self) -> None:
        for event_id, row in zip(self.ids, self._rows, strict=True):
            self._view.push(row, self._logged_at, event_id)
