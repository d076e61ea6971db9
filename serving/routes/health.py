"""GET /health/live, GET /health/ready and GET /metrics."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from serving.routes.state import is_ready

router = APIRouter(tags=["health"])


class LiveAnswer(BaseModel):
    """The process answers."""

    status: Literal["live"]


class ReadyAnswer(BaseModel):
    """Which release is served, and what is degraded."""

    status: Literal["ready", "not_ready"]
    problems: list[str]
    release: str | None = None
    as_of: str | None = None


@router.get("/health/live", responses={200: {"model": LiveAnswer}})
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.get(
    "/health/ready",
    responses={
        200: {"model": ReadyAnswer},
        503: {"model": ReadyAnswer, "description": "Before the first release, and while the server ends."},
    },
)
async def ready(request: Request) -> JSONResponse:
    """200 with the release that is served, whose models have all predicted; 503 before the first, and while the server ends.

    `problems` says what is degraded: a release that does not load, an event log that cannot be written, refused requests.
    """
    state = request.app.state
    release = state.current.release
    is_stopping = getattr(request.state, "is_stopping", False)
    parts = (
        *(state.current, state.events, state.push_log, state.feedback_log),
        *(state.pushes, state.states, state.guard, state.refusals),
    )
    problems = [part.problem for part in parts if part.problem]
    if is_stopping:
        problems.append("the server ends: it answers what it accepted")
    found = is_ready(request)
    answer: dict[str, Any] = {"status": "ready" if found else "not_ready", "problems": problems}
    if release:
        answer |= {"release": release.name, "as_of": release.manifest.as_of}
    return JSONResponse(answer, status_code=200 if found else 503)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """The metrics of all worker processes, for Prometheus."""
    return Response(request.app.state.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
