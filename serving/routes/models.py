"""GET /models and GET /models/{model}."""

from typing import Any

from fastapi import APIRouter, Request

from serving.problems import Problem
from serving.release import Release
from serving.routes.state import current_release

router = APIRouter(tags=["models"])


@router.get("/models")
async def models(request: Request) -> dict[str, Any]:
    """The models of the release, with their versions and aliases."""
    release = current_release(request)
    names = sorted({name for name, _ in release.predictors})
    return {"release": release.name, "models": [_model(release, name) for name in names]}


@router.get("/models/{model}")
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
                "threshold": signature.threshold,
                "request": [
                    {"name": field.name, "type": field.type, "required": field.required} for field in signature.request
                ],
                "views": [view.name for view in signature.views],
                "features": [{"name": feature.name, "type": feature.type} for feature in signature.features],
            }
        )
    return {**_model(release, model), "release": release.name, "versions": versions}


def _model(release: Release, name: str) -> dict[str, Any]:
    return {
        "model": name,
        "versions": sorted(number for model, number in release.predictors if model == name),
        "aliases": release.aliases.get(name, {}),
    }
