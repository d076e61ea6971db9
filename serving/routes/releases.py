"""GET /releases."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from ml.release.manifest import all_manifests
from serving.problems import NO_RELEASE, refusals
from serving.routes.state import current_release

router = APIRouter(tags=["releases"])


class ReleasedModelAnswer(BaseModel):
    """A model's version in a release."""

    model: str
    version: int


class ReleaseAnswer(BaseModel):
    """A release on disk."""

    release: str
    as_of: str
    created_at: str
    views: list[str]
    models: list[ReleasedModelAnswer]
    is_current: bool


class ReleasesAnswer(BaseModel):
    """The releases on disk; `problems` names those that cannot be read."""

    current: str
    problems: list[str]
    releases: list[ReleaseAnswer]


@router.get("/releases", responses={200: {"model": ReleasesAnswer}, **refusals(NO_RELEASE)})
def releases(request: Request) -> dict[str, Any]:
    """The releases on disk, newest first, and which one is served."""
    served = current_release(request).name
    manifests, problems = all_manifests(request.app.state.current.folder)
    return {
        "current": served,
        "problems": problems,
        "releases": [
            {
                "release": manifest.release,
                "as_of": manifest.as_of,
                "created_at": manifest.created_at,
                "views": [view.name for view in manifest.views],
                "models": [{"model": model.model, "version": model.version} for model in manifest.models],
                "is_current": manifest.release == served,
            }
            for manifest in reversed(manifests)
        ],
    }
