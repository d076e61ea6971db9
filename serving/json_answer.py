"""An answer whose JSON is rendered already."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

AT_ONCE = "eiderdown.at_once"
"""The ASGI extension by which our server (serving/http_protocol.py) gives a body that has come, and takes an answer as the
bytes that go over the wire: to await a body's parts in a timeout, to check headers one by one and to write head and body
apart costs more than a prediction."""


class JsonAnswer(Response):
    """JSON bytes with status 200."""

    media_type = "application/json"

    def __init__(self, body: bytes) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer as any server takes it."""
        length = b"%d" % len(self.body)
        headers = [(b"content-type", b"application/json"), (b"content-length", length), *self.raw_headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})

    def write(self, scope: Scope, headers: bytes) -> bool:
        """Send the answer with more headers, where the server takes bytes. Returns whether it did."""
        extensions = scope.get("extensions")
        at_once = extensions.get(AT_ONCE) if extensions else None
        if at_once is None:
            return False
        head = b"content-type: application/json\r\ncontent-length: %d\r\n%s" % (len(self.body), headers)
        written: bool = at_once.write(head, self.body)
        return written
