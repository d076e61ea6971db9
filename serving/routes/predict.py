"""POST /predict/{model}."""

import time
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from ml.scoring.request_features import ExpressionError
from serving.predictions.predictor import no_features
from serving.predictions.served_model import ServedModel
from serving.problems import NO_RELEASE, NO_SUCH_NAME, OVERLOADED, WRONG_BODY, Problem, refusals
from serving.releases.served_release import ServedRelease
from serving.requests.json_answer import LoggedAnswer
from serving.requests.request_ids import REQUEST_IDS
from serving.requests.strict_json import header, json_body, read_object
from serving.routes.state import current_release

router = APIRouter(tags=["predictions"])


class ExplanationAnswer(BaseModel):
    """What each feature adds to the raw score (log-odds, or a regression's value); of several classes, to the label's."""

    base: float
    contributions: dict[str, float]
    raw_score: float


class PredictionAnswer(BaseModel):
    """One instance's prediction. `score`: a number, or class to probability; a regression has no label. `missing` names
    the feature views that had nothing current for it.
    """

    score: float | dict[str, float]
    label: bool | str | None = None
    status: str
    missing: list[str] | None = None
    explanation: ExplanationAnswer | None = None


class PredictAnswer(BaseModel):
    """Predictions in the order of the instances."""

    model: str
    version: int
    release: str
    request_id: str
    predictions: list[PredictionAnswer]


BODY = json_body(
    instances={
        "type": "array",
        "minItems": 1,
        "items": {"type": "object"},
        "description": "Entity keys and request fields; GET /models/{model} lists them.",
    },
    alias={"type": ["string", "null"], "default": "champion"},
    version={"type": ["integer", "null"], "description": "In place of an alias."},
    explain={"type": ["boolean", "null"], "default": False},
)


BODY["parameters"] = [
    {
        "name": "X-Timeout-Ms",
        "in": "header",
        "description": "For how many milliseconds the client waits.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
    }
]
FIELDS = {"instances", "alias", "version", "explain"}


@router.post(
    "/predict/{model}",
    openapi_extra=BODY,
    responses={200: {"model": PredictAnswer}, **refusals(NO_RELEASE | NO_SUCH_NAME | WRONG_BODY | OVERLOADED)},
)
async def predict(model: str, request: Request) -> Response:
    """Score instances with a model's champion, or with the alias or version named.

    Stored features come from the release. An unknown entity gets a prediction with the status `incomplete`.
    """
    start = time.perf_counter()
    state = request.app.state
    settings = state.settings
    release: ServedRelease = current_release(request)
    body = await read_object(request, settings, FIELDS)
    served = _choose(release, model, body)
    explain = body.get("explain") or False
    if not isinstance(explain, bool):
        raise Problem(422, "expected true or false", ("explain",))
    rows = served.predictor.check(body.get("instances"), settings.max_instances, release.now())
    parsed = time.perf_counter()
    predictions = await served.predict(rows, start + _seconds(request, settings.max_seconds), request.receive)
    explanations = None
    if explain:
        try:
            explanations = await run_in_threadpool(served.predictor.explain, rows)
        except ExpressionError as error:
            raise no_features(error.row) from None
    scored = time.perf_counter()
    request_id = next(REQUEST_IDS)
    line = served.lines.event(request_id, rows, predictions)
    logged = time.perf_counter()
    answer = served.lines.answer(request_id, predictions, explanations)
    served.observe(predictions, parse=parsed - start, log=logged - scored, serialise=time.perf_counter() - logged)
    return LoggedAnswer(answer, state.events, line, len(rows))


def _seconds(request: Request, most: float) -> float:
    """How long the client waits."""
    given = header(request, b"x-timeout-ms")
    if given is None:
        return most
    if not (given.isascii() and given.isdigit() and 0 < len(given) < 10):
        raise Problem(400, "the header X-Timeout-Ms must be a whole number of milliseconds")
    return min(int(given) / 1000, most)


def _choose(release: ServedRelease, model: str, body: dict[str, Any]) -> ServedModel:
    versions = release.models.get(model)
    if versions is None:
        raise Problem(404, f"no such model in the release; the models are {', '.join(release.models) or 'none'}")
    alias, version = body.get("alias"), body.get("version")
    if alias is not None and not isinstance(alias, str):
        raise Problem(422, "expected a string", ("alias",))
    if version is None:
        alias = "champion" if alias is None else alias
        aliases = release.aliases.get(model, {})
        if alias not in aliases:
            raise Problem(404, f"no such alias of {model}; the aliases are {', '.join(aliases) or 'none'}", ("alias",))
        version = aliases[alias]
    elif alias is not None:
        raise Problem(422, "give an alias or a version, not both", ("version",))
    elif isinstance(version, bool) or not isinstance(version, int):
        raise Problem(422, "expected an integer", ("version",))
    served = versions.get(version)
    if served is None:
        raise Problem(404, f"no such version of {model}; the versions are {sorted(versions)}", ("version",))
    return served
