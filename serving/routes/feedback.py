"""POST /feedback/{model}."""

import datetime as dt
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from ml.digest import digest
from ml.field_types import encode
from serving.events.outcomes import Outcome, Outcomes
from serving.problems import NO_ROOM, NO_SUCH_NAME, WRONG_BODY, Problem, refusals
from serving.requests.strict_json import json_body, read_object
from serving.routes.state import current_release

router = APIRouter(tags=["predictions"])


class FeedbackAnswer(BaseModel):
    """How many outcomes were taken."""

    model: str
    accepted: int


BODY = json_body(
    outcomes={
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "required": ["request_id", "outcome"],
            "additionalProperties": False,
            "properties": {
                "request_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                "instance": {"type": ["integer", "null"], "default": 0, "description": "Its place in the request."},
                "outcome": {"description": "true or false, a number, or one of the classes, by the model's task."},
                "observed_at": {"type": ["string", "null"], "description": "The release's time unless given."},
            },
        },
    }
)


@router.post(
    "/feedback/{model}",
    openapi_extra=BODY,
    responses={200: {"model": FeedbackAnswer}, **refusals(NO_ROOM | NO_SUCH_NAME | WRONG_BODY)},
)
async def feedback(model: str, request: Request) -> dict[str, Any]:
    """Say what came of predictions, by the `request_id` of their answer. All or none.

    When this is answered the outcomes are on the disk. The same outcome sent again is the same event.
    """
    state = request.app.state
    release = current_release(request)
    signatures = {number: one.signature for (name, number), one in release.predictors.items() if name == model}
    if not signatures:
        raise Problem(404, "no such model in the release; GET /models lists them")
    body = await read_object(request, state.settings, {"outcomes"})
    outcomes = Outcomes([signatures[number] for number in sorted(signatures)])
    checked = await run_in_threadpool(outcomes.check, body.get("outcomes"), state.settings.max_instances, release.now())
    await state.feedback_log.append(await run_in_threadpool(_lines, model, checked), len(checked))
    return {"model": model, "accepted": len(checked)}


def _lines(model: str, outcomes: list[Outcome]) -> bytes:
    logged_at = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return b"".join(
        orjson.dumps(
            {
                "event_id": digest([model, one.request_id, one.instance, one.outcome]),
                "logged_at": logged_at,
                "model": model,
                "request_id": one.request_id,
                "instance": one.instance,
                "outcome": one.outcome,
                "observed_at": encode(one.observed_at),
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for one in outcomes
    )
