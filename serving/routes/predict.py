"""POST /predict/{model}."""

import dataclasses
import datetime as dt
import uuid
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from serving.predictor import Prediction, Predictor
from serving.problems import NO_RELEASE, NO_SUCH_NAME, WRONG_BODY, Problem, refusals
from serving.release import Release
from serving.routes.state import current_release
from serving.strict_json import json_body, read_object

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


@router.post(
    "/predict/{model}",
    openapi_extra=BODY,
    responses={200: {"model": PredictAnswer}, **refusals(NO_RELEASE | NO_SUCH_NAME | WRONG_BODY)},
)
async def predict(model: str, request: Request) -> dict[str, Any]:
    """Score instances with a model's champion, or with the alias or version named.

    Stored features come from the release. An unknown entity gets a prediction with the status `incomplete`.
    """
    settings = request.app.state.settings
    release = current_release(request)
    body = await read_object(request, settings, {"instances", "alias", "version", "explain"})
    predictor = _choose(release, model, body)
    explain = body.get("explain") or False
    if not isinstance(explain, bool):
        raise Problem(422, "expected true or false", ("explain",))
    predictions = await run_in_threadpool(
        predictor.predict, body.get("instances"), settings.max_instances, release.now(), explain
    )
    request_id = uuid.uuid4().hex
    await run_in_threadpool(_log, request, release, predictor, request_id, predictions)
    return {
        "model": model,
        "version": predictor.released.version,
        "release": release.name,
        "request_id": request_id,
        "predictions": [_answer(prediction) for prediction in predictions],
    }


def _choose(release: Release, model: str, body: dict[str, Any]) -> Predictor:
    known = sorted({name for name, _ in release.predictors})
    if model not in known:
        raise Problem(404, f"no such model in the release; the models are {', '.join(known) or 'none'}")
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
    predictor = release.predictors.get((model, version))
    if predictor is None:
        versions = sorted(number for name, number in release.predictors if name == model)
        raise Problem(404, f"no such version of {model}; the versions are {versions}", ("version",))
    return predictor


def _answer(prediction: Prediction) -> dict[str, Any]:
    answer: dict[str, Any] = {"score": prediction.score, "label": prediction.label, "status": prediction.status}
    if prediction.label is None:
        del answer["label"]
    if prediction.missing:
        answer["missing"] = prediction.missing
    if prediction.explanation:
        answer["explanation"] = dataclasses.asdict(prediction.explanation)
    return answer


def _log(
    request: Request, release: Release, predictor: Predictor, request_id: str, predictions: list[Prediction]
) -> None:
    logged_at = dt.datetime.now(dt.UTC).isoformat()
    released = predictor.released
    events = []
    for place, prediction in enumerate(predictions):
        request.app.state.metrics.counter(
            "eiderdown_predictions", model=released.model, version=str(released.version), status=prediction.status
        ).add()
        events.append(
            {
                "event_id": f"{request_id}-{place}",
                "request_id": request_id,
                "logged_at": logged_at,
                "model": released.model,
                "version": released.version,
                "release": release.name,
                "predicted_at": prediction.predicted_at.isoformat(),
                "instance": prediction.instance,
                "features": prediction.features,
                "status": prediction.status,
                "missing": prediction.missing,
                **_scored(prediction),
            }
        )
    request.app.state.events.append(events)


def _scored(prediction: Prediction) -> dict[str, Any]:
    """Columns of their own for a task of many classes: a column has one type."""
    if isinstance(prediction.score, dict):
        return {"probabilities": prediction.score, "class": prediction.label}
    return {"score": prediction.score, "label": prediction.label}
