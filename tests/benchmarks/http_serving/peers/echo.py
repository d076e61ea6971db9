"""What uvicorn and FastAPI cost without any work: the same body comes back."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response

app = FastAPI()


@app.post("/body")
async def body(request: Request) -> Response:
    """The bytes as they came: FastAPI's least."""
    return Response(await request.body(), media_type="application/json")


@app.post("/json")
async def parsed(body: dict[str, Any]) -> dict[str, Any]:
    """Read as JSON and written as JSON, as FastAPI is commonly used."""
    return body


async def plain(scope: dict, receive: Callable[[], Awaitable[dict]], send: Callable[[dict], Awaitable[None]]) -> None:
    """uvicorn alone."""
    if scope["type"] != "http":
        return
    message = await receive()
    content = message["body"]
    while message.get("more_body"):
        message = await receive()
        content += message["body"]
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
