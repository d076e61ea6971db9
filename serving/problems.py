"""What a client did wrong, as 4xx answers that name the place and never echo the input."""

from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class Problem(Exception):
    """An answer with a 4xx or 503 status. `location` is the path in the body, such as ("instances", 3, "origin")."""

    def __init__(self, status: int, message: str, location: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.location = location


async def answer_problem(request: Request, problem: Exception) -> JSONResponse:
    """A problem as JSON: {"detail": [{"loc": [...], "msg": "..."}]}, the shape that FastAPI gives to invalid requests."""
    assert isinstance(problem, Problem)
    detail: dict[str, Any] = {"msg": problem.message}
    if problem.location:
        detail["loc"] = ["body", *problem.location]
    return JSONResponse({"detail": [detail]}, status_code=problem.status)


async def answer_http_exception(request: Request, error: Exception) -> JSONResponse:
    """What the framework refuses (no such path, no such method), in the same shape."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": [{"msg": error.detail}]}, status_code=error.status_code, headers=error.headers)
