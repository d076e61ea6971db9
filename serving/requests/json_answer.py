"""An answer whose JSON is rendered already."""

from collections.abc import Callable, Mapping
from functools import partial

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.events.event_log import EventLog

AT_ONCE = "eiderdown.at_once"
"""The ASGI extension by which our server (serving/process/http_protocol.py) gives a body that has come, and takes an answer
as the bytes that go over the wire: to await a body's parts in a timeout, to check headers one by one and to write head and body
apart costs more than a prediction."""


class JsonAnswer(Response):
    """An answer of JSON bytes."""

    media_type = "application/json"

    def __init__(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [(name.encode(), value.encode()) for name, value in headers.items()] if headers else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer as any server takes it."""
        length = b"%d" % len(self.body)
        headers = [(b"content-type", b"application/json"), (b"content-length", length), *self.raw_headers]
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
        head = b"content-type: application/json\r\ncontent-length: %d\r\n%s%s" % (len(self.body), own, headers)
        self._write(partial(at_once.write, self.status_code, head, self.body), is_alone)
        return True

    def _write(self, write: Callable[[], None], is_alone: bool) -> None:
        write()


class LoggedAnswer(JsonAnswer):
    """An answer that is sent when its event is in the log."""

    def __init__(self, body: bytes, events: EventLog, line: bytes, count: int) -> None:
        """line: of the event log, which holds `count` events."""
        super().__init__(body)
        self._events, self._line, self._count = events, line, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log, and send the answer as any server takes it."""
        self._events.append(self._line, self._count)
        await super().__call__(scope, receive, send)

    def _write(self, write: Callable[[], None], is_alone: bool) -> None:
        if is_alone and not self._events.is_waiting:
            self._events.append(self._line, self._count)
            write()
        else:
            self._events.append_soon(self._line, self._count, write)
