"""HTTP over a connection, with limits on a request's head. uvicorn has none: a head may grow, or trickle in, for ever."""

import asyncio
import json
import weakref
from typing import Any

import httptools
from uvicorn._types import HTTPScope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from serving.access.guard import SECURITY
from serving.requests.whole_answer import AT_ONCE

MAX_HEAD_BYTES = 64 * 1024
"""Of a head that comes in more than one piece; a piece is what one read of the socket gives, 256 KiB at most."""
MAX_HEADERS = 100


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, for `uvicorn.run(http=...)`: 431 for a head that is too long, 400 for what is no HTTP, and the end
    of a connection whose head does not come. None of it is logged, so that nobody fills the log.
    """

    head_seconds = 10.0
    """The longest from the first byte, or from the connection, to the end of a head."""
    _head: HTTPScope | None = None
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A head is awaited from here."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """No head is awaited."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; then see whether a head is still to come."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The request is answered as one that asks for no upgrade.
            pass
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _TooManyHeaders):
                self._refuse(431, f"the request has more than {MAX_HEADERS} headers")
            else:
                self._refuse(400, "this is not valid HTTP")
            return
        is_head = self.scope is None or "method" not in self.scope
        if is_head and self._count_head(len(data)) > MAX_HEAD_BYTES:
            self._refuse(431, f"the request's head is longer than {MAX_HEAD_BYTES} bytes")
        elif is_head or self.cycle.response_complete:
            if self._head_timer is None:
                self._await_head()
        elif self._head_timer is not None:
            self._head_came()

    def on_headers_complete(self) -> None:
        """Count them before anything is done with them."""
        if len(self.headers) > MAX_HEADERS:
            raise _TooManyHeaders
        super().on_headers_complete()
        # The task that answers begins with the loop's next turn, so it sees this.
        extensions: dict[str, Any] = {AT_ONCE: AtOnce(self.cycle)}
        self.scope["extensions"] = extensions

    def _count_head(self, count: int) -> int:
        """The bytes of the head that is under way, without the piece in which it began: others may stand before it there."""
        if self._head is self.scope:
            self._head_bytes += count
        else:
            self._head, self._head_bytes = self.scope, 0
        return self._head_bytes

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int, message: str) -> None:
        body = json.dumps({"detail": [{"msg": message}]}).encode()
        headers: dict[str, Any] = {
            "content-type": "application/json",
            "content-length": len(body),
            "connection": "close",
            **SECURITY,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        self.transport.write(STATUS_LINE[status] + head + b"\r\n" + body)
        self.transport.close()


class AtOnce:
    """A request's body where all of it has come, and its answer in one write."""

    __slots__ = ("_claimed", "_cycle", "_on_response")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        # Weak, since the cycle refers to the scope, which has this: each request would be left to the garbage collector.
        self._cycle = weakref.ref(cycle)

    def read(self) -> bytes | None:
        """The body, if all of it has come; then the next message is that the client has left."""
        cycle = self._cycle()
        if cycle is None or cycle.more_body or not cycle.message_event.is_set():
            return None
        body = bytes(cycle.body)
        cycle.body = bytearray()
        cycle.message_event.clear()
        cycle.flow.resume_reading()
        return body

    def claim(self) -> bool:
        """Take it on to answer by `write`; False where the connection is to end with the answer, whose head would have to
        say so, where the client does not read what it was sent, so that the answer must wait, and where it still sends."""
        cycle = self._cycle()
        if cycle is None or not cycle.keep_alive or cycle.response_started:
            return False
        if cycle.more_body or cycle.flow.write_paused:
            return False
        if any(name == b"connection" for name, _ in cycle.default_headers):
            return False
        # The cycle forgets it when the application returns, which may be before the answer is written.
        self._claimed, self._on_response = cycle, cycle.on_response
        cycle.response_started = cycle.response_complete = True
        return True

    def write(self, status: int, headers: bytes, body: bytes) -> None:
        """Send the answer, with more headers than the server's own."""
        cycle = self._claimed
        defaults = b"".join([b"%s: %s\r\n" % header for header in cycle.default_headers])
        cycle.message_event.set()
        # A client that has left since is not noted in a cycle that is complete.
        if not cycle.disconnected and not cycle.transport.is_closing():
            cycle.transport.write(b"%s%s%s\r\n%s" % (STATUS_LINE[status], defaults, headers, body))
            self._on_response()
        del self._claimed, self._on_response


class _TooManyHeaders(Exception):
    pass
