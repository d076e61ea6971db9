"""What routes take from the application."""

from fastapi import Request

from serving.problems import Problem
from serving.served_release import ServedRelease


def current_release(request: Request) -> ServedRelease:
    """The release that this request sees from start to end. Raises Problem 503 before the first."""
    release: ServedRelease | None = request.app.state.current.release
    if release is None:
        raise Problem(503, "no release is being served yet; run `dbt build` to publish one")
    return release
