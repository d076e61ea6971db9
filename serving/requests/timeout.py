"""The header by which a client says how long it waits."""

from typing import Any

from fastapi import Request

from serving.problems import Problem
from serving.requests.strict_json import header
from serving.settings import Settings

TIMEOUT_HEADER: dict[str, Any] = {
    "name": "X-Timeout-Ms",
    "in": "header",
    "description": "For how many milliseconds the client waits.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}
"""Its OpenAPI."""


def deadline_of(request: Request, start: float, settings: Settings, most_seconds: float | None = None) -> float:
    """Until when the client waits, or the server at most. start: as the deadline, in seconds of `time.perf_counter`;
    most_seconds: in place of the settings' own.
    """
    most = settings.max_seconds if most_seconds is None else most_seconds
    given = header(request, b"x-timeout-ms")
    if given is None:
        return start + most
    if not (given.isascii() and given.isdigit() and 0 < len(given) < 10):
        raise Problem(400, "the header X-Timeout-Ms must be a whole number of milliseconds")
    return start + min(int(given) / 1000, most)
