"""POST /predict/{model}."""

import time
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from serving.problems import NO_RELEASE, NO_SUCH_NAME, NOT_ACCEPTED, OVERLOADED, WRONG_BODY, Problem, refusals
from serving.requests.strict_json import json_body, read_object
from serving.requests.timeout import TIMEOUT_HEADER, deadline_of
from serving.requests.whole_answer import LoggedAnswer
from serving.routes.predict_arrow import QUERY, STREAM, arrow_answer, is_arrow, predict_arrow, wants_arrow
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
    arm: str | None = Field(None, description="Of an experiment that splits requests: who made this prediction.")
    model: str | None = None
    version: int | None = None


class PredictAnswer(BaseModel):
    """Predictions in the order of the instances."""

    model: str
    version: int | None = Field(description="Null where versions of several models, or an ensemble, answered.")
    release: str
    request_id: str
    experiment: str | None = None
    absent: list[str] | None = Field(None, description="Of an ensemble: the arms that were not ready by its deadline.")
    predictions: list[PredictionAnswer]


BODY = json_body(
    instances={
        "type": "array",
        "minItems": 1,
        "items": {"type": "object"},
        "description": "Entity keys and request fields; GET /models/{model} lists them.",
    },
    alias={"type": ["string", "null"], "description": "The champion, unless the model has an experiment."},
    version={"type": ["integer", "null"], "description": "In place of an alias."},
    explain={"type": ["boolean", "null"], "default": False},
)


BODY["requestBody"]["content"] |= STREAM
BODY["parameters"] = [TIMEOUT_HEADER, *QUERY]
FIELDS = {"instances", "alias", "version", "explain"}


@router.post(
    "/predict/{model}",
    openapi_extra=BODY,
    responses={
        200: {"model": PredictAnswer, "content": STREAM},
        **refusals(NO_RELEASE | NO_SUCH_NAME | WRONG_BODY | NOT_ACCEPTED | OVERLOADED),
    },
)
async def predict(model: str, request: Request) -> Response:
    """Score instances with a model's champion, or its experiment; or with the alias or version named.

    Stored features come from the release. An unknown entity gets a prediction with the status `incomplete`. A big batch is
    sent and answered as an Arrow IPC stream, whose columns are the fields of an instance; alias and version are then in the
    query. The answer has the columns `score` (a double, or a struct of one for each class), `label`, `status` and `missing`,
    and model, version, release and request_id in the metadata of its schema. `Accept` asks for one of a JSON body.
    """
    if is_arrow(request):
        return await predict_arrow(model, request)
    start = time.perf_counter()
    state = request.app.state
    settings = state.settings
    release = current_release(request)
    body = await read_object(request, settings, FIELDS)
    target = release.target(model, *_alias_or_version(body))
    explain = body.get("explain") or False
    if not isinstance(explain, bool):
        raise Problem(422, "expected true or false", ("explain",))
    in_arrow = wants_arrow(request)
    if explain and in_arrow:
        raise Problem(422, "an answer in Arrow holds no explanation; accept JSON", ("explain",))
    rows = target.check(body.get("instances"), settings.max_instances, release.now())
    parsed = time.perf_counter()
    answered = await target.answer(rows, deadline_of(request, start, settings), request.receive, explain)
    scored = time.perf_counter()
    if in_arrow:
        answer = arrow_answer(answered, target, state.events)
    else:
        answer = LoggedAnswer(answered.to_json(), state.events, answered.events, answered.event_count)
    target.observe(parsed - start, time.perf_counter() - scored)
    return answer


def _alias_or_version(body: dict[str, Any]) -> tuple[str | None, int | None]:
    alias, version = body.get("alias"), body.get("version")
    if alias is not None and not isinstance(alias, str):
        raise Problem(422, "expected a string", ("alias",))
    if version is not None and alias is not None:
        raise Problem(422, "give an alias or a version, not both", ("version",))
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise Problem(422, "expected an integer", ("version",))
    return alias, version
