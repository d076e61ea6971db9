"""GET /releases."""

from typing import Any

from fastapi import APIRouter, Request

from ml.release.manifest import all_manifests
from serving.routes.state import current_release

router = APIRouter(tags=["releases"])


@router.get("/releases")
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
