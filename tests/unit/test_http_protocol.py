"""The limits on a request's head, over real sockets: size, number of headers, time, and what is no HTTP."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from serving.access.guard import SECURITY
from serving.process.http_protocol import MAX_HEAD_BYTES, MAX_HEADERS, LimitedProtocol
from serving.requests.whole_answer import AT_ONCE

HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\n"
SECONDS = 30
"""Until a test gives up."""


class _Impatient(LimitedProtocol):
    head_seconds = 1.0


async def _count(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of the body; "/early" before it comes."""
    length, more = 0, scope["path"] != "/early"
    while more:
        message = await receive()
        length += len(message["body"])
        more = message["more_body"]
    await Response(str(length))(scope, receive, send)


class _Server(uvicorn.Server):
    def __init__(self, protocol: type[LimitedProtocol]) -> None:
        super().__init__(
            uvicorn.Config(
                _count, http=protocol, port=0, lifespan="off", log_config=None, ws="none", timeout_keep_alive=1
            )
        )
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@pytest.fixture(scope="module")
def address(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    server = _Server(request.param)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert server.is_up.wait(SECONDS)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join(SECONDS)


patient = pytest.mark.parametrize("address", [LimitedProtocol], indirect=True, ids=["patient"], scope="module")
impatient = pytest.mark.parametrize("address", [_Impatient], indirect=True, ids=["impatient"], scope="module")


def _connect(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=SECONDS)


def _all(connection: socket.socket) -> bytes:
    """What comes until the server hangs up; what it had not read is lost with the connection."""
    answer = b""
    try:
        while part := connection.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    return answer


@patient
def test_good_requests_pass(address: tuple[str, int]) -> None:
    with _connect(address) as connection:
        for body in (b"", b"a" * 10, b"a" * 1_000_000):
            request = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
            # In two pieces that part in the head.
            connection.sendall(request[:20])
            connection.sendall(request[20:])
            answer = b""
            while not answer.endswith(b"\r\n\r\n%d" % len(body)):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")


class _Transport(asyncio.Transport):
    """Takes what is written; each read of the socket is a call of the test's."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_written = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)
        self.is_written.set()

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self.write(b"closed")

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def test_a_head_is_counted_from_its_own_beginning() -> None:
    """A read of the socket may hold the end of a long body and the beginning of the next head."""

    async def ask() -> bytes:
        config = uvicorn.Config(_count, ws="none", log_config=None)
        transport = _Transport()
        protocol = LimitedProtocol(config, ServerState(), {})
        protocol.connection_made(transport)
        for _ in range(3):
            body = b"a" * (2 * MAX_HEAD_BYTES)
            protocol.data_received(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body + HEAD)
            protocol.data_received(b"x: y\r\n")
            protocol.data_received(b"content-length: 0\r\n\r\n")
        while transport.written.count(b"HTTP/1.1 ") < 6:
            transport.is_written.clear()
            await asyncio.wait_for(transport.is_written.wait(), SECONDS)
        protocol.connection_lost(None)
        return transport.written

    answer = asyncio.run(ask())
    assert answer.count(b"HTTP/1.1 200 ") == 6


@patient
@pytest.mark.parametrize(
    "piece", [b"x: " + b"a" * 1000 + b"\r\n", b"a" * 1000, b"\r\n" * 500], ids=["headers", "one header", "empty lines"]
)
def test_a_head_without_end(address: tuple[str, int], piece: bytes) -> None:
    with _connect(address) as connection:
        start = b"" if piece.startswith(b"\r\n") else HEAD + b"y: "
        sent = 0
        try:
            connection.sendall(start)
            # Some megabytes more than may wait in the sockets' buffers.
            for _ in range(20_000):
                connection.sendall(piece)
                sent += len(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            pytest.fail(f"the server took {sent} bytes of a head; the limit is {MAX_HEAD_BYTES}")


@patient
def test_too_many_headers(address: tuple[str, int]) -> None:
    for count, status in ((MAX_HEADERS - 2, b"200"), (MAX_HEADERS, b"431"), (5000, b"431")):
        with _connect(address) as connection:
            connection.sendall(HEAD + b"x: y\r\n" * count + b"connection: close\r\n\r\n")
            assert _all(connection).split()[1] == status


@patient
def test_what_is_no_http(address: tuple[str, int]) -> None:
    with _connect(address) as connection:
        connection.sendall(b"zqxjk\r\n\r\n")
        answer = _all(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    for name, value in SECURITY.items():
        assert f"{name}: {value}".encode() in head
    assert body == b'{"detail": [{"msg": "this is not valid HTTP"}]}'


@impatient
def test_a_head_that_does_not_come(address: tuple[str, int]) -> None:
    answered = HEAD + b"content-length: 0\r\n\r\n"
    starts = (b"", b"P", HEAD, b"\r\n", answered + b"P", answered + b"\r\n")
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(_connect(address)) for _ in starts]
        for connection, start in zip(connections, starts, strict=True):
            connection.sendall(start)
        for connection, start in zip(connections, starts, strict=True):
            assert _all(connection).count(b"HTTP/1.1 200 ") == start.startswith(answered)


@impatient
def test_a_head_that_trickles(address: tuple[str, int]) -> None:
    with _connect(address) as connection:
        ended = threading.Event()

        def trickle() -> None:
            try:
                while not ended.wait(0.05):
                    connection.sendall(b"x: y\r\n")
            except OSError:
                pass

        connection.sendall(HEAD)
        thread = threading.Thread(target=trickle)
        thread.start()
        assert _all(connection) == b""
        ended.set()
        thread.join()


@impatient
def test_a_slow_body_is_no_slow_head(address: tuple[str, int]) -> None:
    with _connect(address) as connection:
        connection.sendall(HEAD + b"content-length: 10\r\nconnection: close\r\n\r\n")
        ended = threading.Event()
        for _ in range(10):
            ended.wait(0.15)
            connection.sendall(b"a")
        assert _all(connection).endswith(b"\r\n\r\n10")


@pytest.mark.parametrize("is_paused", [False, True], ids=["reads", "does not read"])
def test_answers_that_are_written_after_the_application_has_returned(is_paused: bool) -> None:
    """As the event log does, which answers what came in one turn together. Requests that came in one piece go on then."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        at_once = scope["extensions"][AT_ONCE]
        at_once.read()
        if at_once.claim():
            asyncio.get_running_loop().call_soon(at_once.write, 200, b"content-length: 1\r\n", b"a")
        else:
            await Response("b")(scope, receive, send)

    async def ask() -> bytes:
        config = uvicorn.Config(answer, ws="none", log_config=None)
        transport = _Transport()
        protocol = LimitedProtocol(config, ServerState(), {})
        protocol.connection_made(transport)
        if is_paused:
            protocol.pause_writing()
        protocol.data_received((HEAD + b"content-length: 0\r\n\r\n") * 3)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not (is_paused and transport.written)
        protocol.resume_writing()
        for _ in range(20):
            await asyncio.sleep(0)
        assert protocol.timeout_keep_alive_task is not None
        protocol.connection_lost(None)
        return transport.written

    written = asyncio.run(ask())
    assert written.count(b"HTTP/1.1 200 ") == 3
