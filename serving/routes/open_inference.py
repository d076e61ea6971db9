"""The Open Inference Protocol v2: GET /v2/..., and POST /v2/models/{model}/infer."""

import math
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from serving.open_inference.infer_request import read_infer_request
from serving.open_inference.metadata import EXTENSIONS, model_configuration, model_metadata, repository_index
from serving.open_inference.openapi import (
    INFER,
    INFER_ANSWER,
    INFER_ERRORS,
    NO_SUCH_MODEL,
    VERSION,
    ConfigurationAnswer,
    IndexEntry,
    LiveAnswer,
    ModelAnswer,
    ModelReadyAnswer,
    ReadyAnswer,
    ServerAnswer,
    StatisticsAnswer,
    errors,
)
from serving.open_inference.outputs import outputs_of, write_answer
from serving.open_inference.statistics import Statistics
from serving.predictions.target import Target
from serving.problems import Problem
from serving.releases.served_release import ServedRelease
from serving.requests.timeout import deadline_of
from serving.requests.whole_answer import LoggedAnswer
from serving.routes.state import current_release, is_ready

router = APIRouter(tags=["Open Inference Protocol"], prefix="/v2")

Endpoint = Callable[[str, Request], Coroutine[Any, Any, Any]]

_MAX_DIGITS = 9
"""Of a version in a path."""


def _of_a_model(
    method: str, what: str, responses: dict[int | str, dict[str, Any]], extra: dict[str, Any] | None = None
) -> Callable[[Endpoint], Endpoint]:
    """Register an endpoint under a model and under each of its versions, which stands in the request's path parameters."""
    extra = extra or {}
    with_version = extra | {"parameters": [*extra.get("parameters", ()), VERSION]}

    def register(endpoint: Endpoint) -> Endpoint:
        for path, more in (("", extra), ("/versions/{version}", with_version)):
            router.add_api_route(
                f"/models/{{model}}{path}{what}", endpoint, methods=[method], responses=responses, openapi_extra=more
            )
        return endpoint

    return register


@router.get("", responses={200: {"model": ServerAnswer}})
async def server() -> dict[str, Any]:
    """The server's metadata."""
    return {"name": "eiderdown", "version": version("eiderdown"), "extensions": EXTENSIONS}


@router.get("/health/live", responses={200: {"model": LiveAnswer}})
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get(
    "/health/ready",
    responses={
        200: {"model": ReadyAnswer},
        503: {"model": ReadyAnswer, "description": "Before the first release, and while the server ends."},
    },
)
async def ready(request: Request) -> JSONResponse:
    """200 where predictions are answered, 503 before the first release and while the server ends."""
    found = is_ready(request)
    return JSONResponse({"ready": found}, status_code=200 if found else 503)


@router.post("/repository/index", responses={200: {"model": list[IndexEntry]}, **errors()})
async def index(request: Request) -> list[dict[str, str]]:
    """The models of the release, with every version, all of which are ready."""
    return repository_index(current_release(request))


@router.get("/models/stats", responses={200: {"model": StatisticsAnswer}, **errors()})
async def statistics_of_all(request: Request) -> dict[str, Any]:
    """What was counted of every version of every model."""
    return _statistics(request, current_release(request).models)


@_of_a_model("GET", "", {200: {"model": ModelAnswer}, **errors(NO_SUCH_MODEL)})
async def metadata(model: str, request: Request) -> dict[str, Any]:
    """What a model takes and gives."""
    return model_metadata(*_release_and_target(model, request))


@_of_a_model("GET", "/ready", {200: {"model": ModelReadyAnswer}, **errors(NO_SUCH_MODEL)})
async def model_ready(model: str, request: Request) -> dict[str, Any]:
    """200 where a model answers: one of a release that is served has predicted."""
    return {"name": _release_and_target(model, request)[1].name, "ready": True}


@_of_a_model("GET", "/config", {200: {"model": ConfigurationAnswer}, **errors(NO_SUCH_MODEL)})
async def configuration(model: str, request: Request) -> dict[str, Any]:
    """A model's configuration as Triton has it."""
    return model_configuration(*_release_and_target(model, request))


@_of_a_model("GET", "/stats", {200: {"model": StatisticsAnswer}, **errors(NO_SUCH_MODEL)})
async def statistics(model: str, request: Request) -> dict[str, Any]:
    """What was counted of a model's versions, or of one."""
    release, target = _release_and_target(model, request)
    number = _version(request)
    return _statistics(request, {target.name: release.models[target.name] if number is None else [number]})


@_of_a_model("POST", "/infer", {200: INFER_ANSWER, **INFER_ERRORS}, INFER)
async def infer(model: str, request: Request) -> Response:
    """Score the rows of tensors with a model's champion, or its experiment; or with the version or alias named.

    One input for each request field of the model, [rows] or [rows, 1], in JSON or as binary data behind it.
    """
    start = time.perf_counter()
    state = request.app.state
    settings = state.settings
    release = current_release(request)
    asked = await read_infer_request(request, settings)
    asked.check_name(model, request.path_params.get("version"))
    number = _version(request)
    if number is not None and asked.alias is not None:
        raise Problem(400, "the path names a version; leave the alias out", ("parameters", "alias"))
    target = release.target(model, asked.alias, number)
    outputs = outputs_of(target)
    wanted = asked.outputs(outputs)
    instances = asked.instances(target.signature, settings.max_instances)
    rows = target.check(instances, settings.max_instances, release.now())
    parsed = time.perf_counter()
    deadline = min(deadline_of(request, start, settings), start + (asked.seconds or math.inf))
    answered = await target.answer(rows, deadline, request.receive)
    scored = time.perf_counter()
    body, headers, content_type = write_answer(answered, outputs, wanted, asked.id)
    answer = LoggedAnswer(body, state.events, answered.events, answered.event_count, headers, content_type)
    target.observe(parsed - start, time.perf_counter() - scored)
    return answer


def infer_model(path: str) -> str:
    """The model that `infer` is asked for by a path below /v2/, without a version; "" for other paths."""
    parts = path.split("/")
    return parts[1] if len(parts) == 3 and parts[0] == "models" and parts[2] == "infer" else ""


def _release_and_target(model: str, request: Request) -> tuple[ServedRelease, Target]:
    release = current_release(request)
    return release, release.target(model, version=_version(request))


def _version(request: Request) -> int | None:
    """The version in the path. Raises Problem 404 for what is no number."""
    text = request.path_params.get("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise Problem(404, "no such version; a version is a whole number")
    return int(text)


def _statistics(request: Request, versions: Mapping[str, Iterable[int]]) -> dict[str, Any]:
    found = Statistics(request.app.state.metrics.collect())
    return {"model_stats": [found.of(model, number) for model, numbers in versions.items() for number in numbers]}
