"""GET /models and GET /models/{model}."""

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from serving.problems import NO_RELEASE, NO_SUCH_NAME, Problem, ProblemAnswer, refusals
from serving.releases.release import Release
from serving.releases.served_release import ServedRelease
from serving.routes.state import current_release

router = APIRouter(tags=["models"])


class ModelSummary(BaseModel):
    """A model of the release."""

    model: str
    versions: list[int]
    aliases: dict[str, int]


class ModelsAnswer(BaseModel):
    """The models of the release, by name."""

    release: str
    models: list[ModelSummary]


class RequestFieldAnswer(BaseModel):
    """A field that each instance of a request has."""

    name: str
    type: str
    required: bool


class FeatureField(BaseModel):
    """An input of the estimator."""

    name: str
    type: str


class VersionAnswer(BaseModel):
    """A version of a model."""

    version: int
    estimator: str
    task: str
    classes: list[str]
    threshold: float | None
    request: list[RequestFieldAnswer]
    views: list[str]
    features: list[FeatureField]


class ArmAnswer(BaseModel):
    """An arm of an experiment, with the share of the requests, or of an ensemble's answer, that it has now."""

    model: str
    version: int
    weight: float


class ExperimentAnswer(BaseModel):
    """Who answers requests that name no version. `waiting`: champion does, since an arm is not there yet."""

    name: str
    policy: str
    status: Literal["running", "stopped", "full", "waiting"]
    reason: str | None = None
    fingerprint: str | None = None
    arms: dict[str, ArmAnswer] = {}


class ModelAnswer(BaseModel):
    """A model of the release with its versions."""

    model: str
    release: str
    versions: list[VersionAnswer]
    aliases: dict[str, int]
    experiment: ExperimentAnswer | None = None


@router.get("/models", responses={200: {"model": ModelsAnswer}, **refusals(NO_RELEASE)})
async def models(request: Request) -> dict[str, Any]:
    """The models of the release, with their versions and aliases."""
    release = current_release(request)
    names = sorted({name for name, _ in release.predictors})
    return {"release": release.name, "models": [_model(release, name) for name in names]}


# FastAPI documents a 422 that cannot be, unless there is a 4XX.
@router.get(
    "/models/{model}",
    responses={
        200: {"model": ModelAnswer},
        "4XX": {"model": ProblemAnswer, "description": "The request is refused."},
        **refusals(NO_RELEASE | NO_SUCH_NAME),
    },
)
async def model(model: str, request: Request) -> dict[str, Any]:
    """A model of the release: for each version the fields that a request has, and the features that it uses."""
    release = current_release(request)
    if model not in {name for name, _ in release.predictors}:
        raise Problem(404, "no such model in the release; GET /models lists them")
    versions = []
    for (name, number), predictor in sorted(release.predictors.items()):
        if name != model:
            continue
        signature = predictor.signature
        versions.append(
            {
                "version": number,
                "estimator": predictor.released.estimator,
                "task": predictor.released.task,
                "classes": signature.classes,
                "threshold": signature.threshold,
                "request": [
                    {"name": field.name, "type": field.type, "required": field.required} for field in signature.request
                ],
                "views": [view.name for view in signature.views],
                "features": [{"name": feature.name, "type": feature.type} for feature in signature.features],
            }
        )
    answer = {**_model(release, model), "release": release.name, "versions": versions}
    if experiment := _experiment(release, model):
        answer["experiment"] = experiment
    return answer


def _experiment(release: ServedRelease, model: str) -> dict[str, Any] | None:
    declared = release.manifest.serving.get(model, {}).get("experiment")
    if declared is None:
        return None
    names = {"name": declared["name"], "policy": declared["policy"]}
    if model not in release.experiments:
        return names | {"status": "waiting", "reason": release.waiting[model]}
    experiment = release.experiments[model]
    weights = experiment.weights
    arms = {
        name: {"model": made_by.model, "version": made_by.version, "weight": weights[name]}
        for name, made_by in experiment.versions.items()
    }
    state = experiment.state
    return {
        **names,
        "status": state.status if state else "running",
        "reason": state.reason if state else None,
        "fingerprint": experiment.fingerprint,
        "arms": arms,
    }


def _model(release: Release, name: str) -> dict[str, Any]:
    return {
        "model": name,
        "versions": sorted(number for model, number in release.predictors if model == name),
        "aliases": release.aliases.get(name, {}),
    }
