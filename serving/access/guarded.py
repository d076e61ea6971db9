"""What stands around the application: the guard's refusals, its headers, and an answer to what nobody expected."""

import logging
import traceback
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access.guard import Guard
from serving.open_inference.errors import error as open_inference_error
from serving.open_inference.errors import is_open_inference

MAX_PATH = 200
"""The characters of a path that the log shows."""

logger = logging.getLogger("serving")


class Guarded:
    """An ASGI application that asks the guard first. An exception of the application is a 500 with a request id, under
    which the log has its trace.
    """

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self.app = app
        self.guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what is no HTTP goes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = self.guard.headers(scope)
        is_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        answer = self.guard.refuse(scope) or self.app
        try:
            await answer(scope, receive, send_with_headers)
        except Exception as error:
            refusal = unexpected(scope, error)
            if is_started:
                # Half an answer is out: only the end of the connection says that it is not whole.
                raise ConnectionAbortedError("the answer broke off; the log has the reason") from None
            await refusal(scope, receive, send_with_headers)


def leave_to_guarded(request: Request, error: Exception) -> Response:
    """The framework's handler of exceptions: it would answer with a plain text of its own."""
    raise error


def unexpected(scope: Scope, error: BaseException) -> JSONResponse:
    """The answer to a request that met an exception: a 500 with a request id. The log gets id, method, path and trace."""
    request_id = uuid.uuid4().hex
    logger.error(
        {
            "event": "unexpected_error",
            "request_id": request_id,
            "method": scope["method"],
            "path": scope["path"][:MAX_PATH],
            "status": 500,
            "trace": _trace(error),
        }
    )
    message = "something unexpected happened; the server's log has it under this request_id"
    content: dict[str, Any] = {"detail": [{"msg": message}], "request_id": request_id}
    if is_open_inference(scope["path"]):
        content = open_inference_error(message) | {"request_id": request_id}
    return JSONResponse(content, status_code=500)


def _trace(error: BaseException | None) -> str:
    """Frames and types, innermost cause first. Messages are left out: they may hold what the client sent."""
    parts: list[str] = []
    while error is not None:
        parts.append(f"{''.join(traceback.format_tb(error.__traceback__))}{type(error).__qualname__}")
        error = error.__cause__ or error.__context__
    return "\n".join(reversed(parts))
