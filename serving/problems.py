"""What a client did wrong, as 4xx answers that name the place and never echo the input."""

from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from serving.open_inference.errors import error, is_open_inference, no_such_path, status_of
from serving.requests.whole_answer import WholeAnswer


class ProblemDetail(BaseModel):
    """What is wrong, and the path to it in the body where there is one."""

    msg: str
    loc: list[str | int] | None = None


class ProblemAnswer(BaseModel):
    """The body of every answer with a 4xx or 503 status."""

    detail: list[ProblemDetail]


NO_RELEASE = {503: "No release is being served yet."}
NO_SUCH_NAME = {404: "The release has nothing of this name."}
NO_ROOM = {503: "No release is being served yet, or what was sent could not be kept."}
OVERLOADED = {503: "No release is being served yet, or there are more requests than can be answered in time."}
NOT_ACCEPTED = {406: "The answer to a body in Arrow is in Arrow, which the request does not accept."}
WRONG_BODY = {
    400: "The body is not strict JSON or a valid Arrow stream, or ended early.",
    408: "The body came too slowly, or the time that the client gave was up.",
    413: "The body is too long, or holds too many objects.",
    415: "The body has a content encoding, or an Arrow stream is compressed.",
    422: "A field of the body is wrong.",
}


def refusals(statuses: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI of answers with these statuses: their descriptions, and one shape for all."""
    return {
        status: {"model": ProblemAnswer, "description": description} for status, description in sorted(statuses.items())
    }


_FRAMEWORK = {
    404: "no such path; GET /openapi.json lists them",
    405: "the path has no such method; see the header Allow",
}


class Problem(Exception):
    """An answer with a 4xx or 503 status. `location` is the path in the body, such as ("instances", 3, "origin").

    `closes`: the connection ends with the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        location: tuple[str | int, ...] = (),
        closes: bool = False,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.location = location
        self.headers = {"connection": "close"} if closes else {}
        if retry_after is not None:
            self.headers["retry-after"] = str(retry_after)


def overloaded(reason: str) -> Problem:
    """The answer to a request that is not taken on."""
    return Problem(503, f"{reason}; try again later", retry_after=1)


async def answer_problem(request: Request, problem: Exception) -> WholeAnswer:
    """A problem as JSON: {"detail": [{"loc": [...], "msg": "..."}]}, the shape that FastAPI gives to invalid requests; that of
    the Open Inference Protocol under its paths.
    """
    assert isinstance(problem, Problem)
    if is_open_inference(request.scope["path"]):
        body = orjson.dumps(error(problem.message, problem.location))
        return WholeAnswer(body, status_of(problem.status), problem.headers)
    detail: dict[str, Any] = {"msg": problem.message}
    if problem.location:
        detail["loc"] = ["body", *problem.location]
    return WholeAnswer(orjson.dumps({"detail": [detail]}), problem.status, problem.headers)


async def answer_http_exception(request: Request, refused: Exception) -> JSONResponse:
    """What the framework refuses (no such path, no such method), in the same shapes."""
    assert isinstance(refused, HTTPException)
    message = _FRAMEWORK.get(refused.status_code, refused.detail)
    content: dict[str, Any] = {"detail": [{"msg": message}]}
    if is_open_inference(path := request.scope["path"]):
        content = error(no_such_path(path) if refused.status_code == 404 else message)
    return JSONResponse(content, status_code=refused.status_code, headers=refused.headers)
