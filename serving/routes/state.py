"""What routes take from the application."""

from fastapi import Request

from serving.problems import Problem
from serving.releases.online_view import OnlineView
from serving.releases.served_release import ServedRelease


def current_release(request: Request) -> ServedRelease:
    """The release that this request sees from start to end. Raises Problem 503 before the first."""
    release: ServedRelease | None = request.app.state.current.release
    if release is None:
        raise Problem(503, "no release is being served yet; run `dbt build` to publish one")
    return release


def is_ready(request: Request) -> bool:
    """Whether requests are to come: a release is served, and the server does not end."""
    return request.app.state.current.release is not None and not getattr(request.state, "is_stopping", False)


def stored_view(release: ServedRelease, name: str, location: tuple[str | int, ...] = ()) -> OnlineView:
    """A view by either of its names. Raises Problem 404 where the release stores nothing of this name.

    location: where the name stands in the body, unless it stands in the path.
    """
    online = release.view(name)
    if online is None and release.is_computed(name):
        message = "this feature view is computed from the request, so nothing of it is stored; ask /predict"
        raise Problem(404, message, location)
    if online is None:
        message = f"no such feature view in the release; the views are {', '.join(release.views) or 'none'}"
        raise Problem(404, message, location)
    return online
