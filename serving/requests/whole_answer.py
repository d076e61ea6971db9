"""An answer whose body is rendered already."""

from collections.abc import Callable, Mapping
from functools import partial

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.events.event_log import EventLog

AT_ONCE = "eiderdown.at_once"
"""The ASGI extension by which our server (serving/process/http_protocol.py) gives a body that has come, and takes an answer
as the bytes that go over the wire: to await a body's parts in a timeout, to check headers one by one and to write head and body
apart costs more than a prediction."""


JSON = b"application/json"


class WholeAnswer(Response):
    """An answer of bytes: of JSON, unless its content type says otherwise."""

    def __init__(
        self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, content_type: bytes = JSON
    ) -> None:
        self.status_code = status
        self.content_type = content_type
        self.background = None
        self.body = body
        self.raw_headers = [(name.encode(), value.encode()) for name, value in headers.items()] if headers else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer as any server takes it."""
        length = b"%d" % len(self.body)
        headers = [(b"content-type", self.content_type), (b"content-length", length), *self.raw_headers]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})

    def write(self, scope: Scope, headers: bytes, is_alone: bool) -> bool:
        """Send the answer with more headers, where the server takes bytes. Returns whether it did, or will.

        is_alone: whether no other request is being answered.
        """
        extensions = scope.get("extensions")
        at_once = extensions.get(AT_ONCE) if extensions else None
        own = b"".join([b"%s: %s\r\n" % header for header in self.raw_headers]) if self.raw_headers else b""
        if at_once is None or b"connection: " in own or not at_once.claim():
            return False
        head = b"content-type: %s\r\ncontent-length: %d\r\n%s%s" % (self.content_type, len(self.body), own, headers)
        self._write(partial(at_once.write, self.status_code, head, self.body), is_alone)
        return True

    def _write(self, write: Callable[[], None], is_alone: bool) -> None:
        write()


class LoggedAnswer(WholeAnswer):
    """An answer that is sent when its events are in the log."""

    def __init__(
        self,
        body: bytes,
        events: EventLog,
        lines: bytes,
        count: int,
        headers: Mapping[str, str] | None = None,
        content_type: bytes = JSON,
    ) -> None:
        """lines: of the event log, which hold `count` events."""
        super().__init__(body, headers=headers, content_type=content_type)
        self._events, self._lines, self._count = events, lines, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log, and send the answer as any server takes it."""
        self._events.append(self._lines, self._count)
        await super().__call__(scope, receive, send)

    def _write(self, write: Callable[[], None], is_alone: bool) -> None:
        if is_alone and not self._events.is_waiting:
            self._events.append(self._lines, self._count)
            write()
        else:
            self._events.append_soon(self._lines, self._count, write)
