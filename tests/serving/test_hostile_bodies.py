"""A real server against bodies and headers that no client library sends: quick refusals, little memory, and it serves on."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from eiderdown.demonstration import tour

SECONDS = 2.0
"""Time enough for any refusal on a shared machine."""
BODY_SECONDS = 1.0
MEGABYTE = 2**20
HUNDRED_MEGABYTES = 100 * MEGABYTE
POST = "POST /predict/flight_delay HTTP/1.1\r\nhost: localhost\r\n"


class Server:
    """A server process, spoken to over bare sockets."""

    def __init__(self, url: str, process: int) -> None:
        self.url = url
        self.process = process
        self.good = self.predict()

    def predict(self) -> list[dict]:
        """What a good request gets."""
        answer = httpx.post(f"{self.url}/predict/flight_delay", json={"instances": [tour.INSTANCE]})
        assert answer.status_code == 200
        return answer.json()["predictions"]

    def memory(self) -> int:
        """The most bytes that the process has held."""
        status = Path(f"/proc/{self.process}/status").read_text()
        return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) * 1024

    @contextlib.contextmanager
    def connect(self) -> Iterator[socket.socket]:
        """A connection."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            yield connection

    def ask(self, *parts: bytes) -> str:
        """The first bytes of the answer to parts that are sent one after the other; "" where the server hangs up."""
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
            return connection.recv(65536).decode()


@pytest.fixture(scope="module")
def server(served_home: Path) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EIDERDOWN_MAX_BODY_SECONDS", str(BODY_SECONDS))
        with tour.server() as (url, process):
            yield Server(url, process.pid)


@pytest.fixture(autouse=True)
def serves_on_with_little_memory(server: Server) -> Iterator[None]:
    before = server.memory()
    yield
    assert server.predict() == server.good
    assert server.memory() - before < 40 * MEGABYTE


def _answer_while_sending(connection: socket.socket, body: Iterator[bytes]) -> tuple[str, float]:
    """The answer's first bytes and the seconds until it came, while a thread sends the body to its end."""

    def send() -> None:
        # The server may hang up as soon as it has refused.
        with contextlib.suppress(OSError):
            for part in body:
                connection.sendall(part)

    start = time.perf_counter()
    thread = threading.Thread(target=send)
    thread.start()
    answer = connection.recv(65536).decode()
    seconds = time.perf_counter() - start
    thread.join()
    return answer, seconds


def test_a_declared_length_is_refused_before_the_body(server: Server) -> None:
    start = time.perf_counter()
    answer = server.ask(f"{POST}content-length: {HUNDRED_MEGABYTES}\r\n\r\n".encode())
    assert answer.startswith("HTTP/1.1 413 ")
    assert time.perf_counter() - start < SECONDS


def test_a_client_that_asks_first_is_not_told_to_continue(server: Server) -> None:
    answer = server.ask(f"{POST}content-length: {HUNDRED_MEGABYTES}\r\nexpect: 100-continue\r\n\r\n".encode())
    assert answer.startswith("HTTP/1.1 413 ")


def test_a_hundred_megabytes_with_their_length(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(f"{POST}content-length: {HUNDRED_MEGABYTES}\r\n\r\n".encode())
        answer, seconds = _answer_while_sending(connection, iter([b" " * MEGABYTE] * 100))
    assert answer.startswith("HTTP/1.1 413 ")
    assert seconds < SECONDS


def test_a_hundred_megabytes_in_chunks(server: Server) -> None:
    chunk = f"{MEGABYTE:x}\r\n".encode() + b"[" * MEGABYTE + b"\r\n"
    with server.connect() as connection:
        connection.sendall(f"{POST}transfer-encoding: chunked\r\n\r\n".encode())
        answer, seconds = _answer_while_sending(connection, iter([chunk] * 100 + [b"0\r\n\r\n"]))
    assert answer.startswith("HTTP/1.1 413 ")
    assert seconds < SECONDS


def test_a_client_library_gets_the_answer(server: Server) -> None:
    for body in (b" " * HUNDRED_MEGABYTES, iter([b" " * MEGABYTE] * 100)):
        answer = httpx.post(f"{server.url}/predict/flight_delay", content=body, timeout=30)
        assert answer.status_code == 413
        assert answer.json() == {
            "detail": [{"msg": "the body is longer than 4194304 bytes; send fewer instances at a time"}]
        }


def test_a_body_that_ends_early(server: Server) -> None:
    for part in (b"", b'{"instances": ['):
        with server.connect() as connection:
            connection.sendall(f"{POST}content-length: 1000\r\n\r\n".encode() + part)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
            assert not answer or answer.startswith(b"HTTP/1.1 400 ")
        with server.connect() as connection:
            connection.sendall(f"{POST}transfer-encoding: chunked\r\n\r\n3e8\r\n".encode() + part)


def test_a_slow_body(server: Server) -> None:
    def trickle() -> Iterator[bytes]:
        for _ in range(50):
            time.sleep(BODY_SECONDS / 10)
            yield b" "

    with server.connect() as connection:
        connection.sendall(f"{POST}content-length: 1000\r\n\r\n".encode())
        answer, seconds = _answer_while_sending(connection, trickle())
    assert answer.startswith("HTTP/1.1 408 ")
    assert "connection: close" in answer
    assert BODY_SECONDS / 2 < seconds < BODY_SECONDS + SECONDS


def test_many_slow_bodies_hold_nobody_up(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            connection = stack.enter_context(server.connect())
            connection.sendall(f"{POST}content-length: 1000\r\n\r\n{{".encode())
        start = time.perf_counter()
        assert server.predict() == server.good
        assert time.perf_counter() - start < SECONDS


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        ("content-length: -1\r\n", {400}),
        ("content-length: zqxjk\r\n", {400}),
        ("content-length: 2\r\ncontent-length: 3\r\n", {400}),
        ("content-length: " + "9" * 5000 + "\r\n", {400}),
        ("content-length: " + "9" * 19 + "\r\n", {413}),
        ("transfer-encoding: zqxjk\r\n", {400, 501}),
        ("transfer-encoding: chunked\r\n", {400}),
        ("transfer-encoding: chunked\r\ncontent-length: 2\r\n", {400}),
        ("transfer-encoding: gzip, chunked\r\n", {400, 501}),
        ("content-encoding: gzip\r\ncontent-length: 2\r\n", {415}),
        ("content-encoding: zqxjk\r\ncontent-length: 2\r\n", {415}),
        ("content-type: multipart/form-data; boundary=zqxjk\r\ncontent-length: 2\r\n", {422}),
        ("content-type: application/json; charset=utf-16\r\ncontent-length: 2\r\n", {422}),
        ("content-type: " + "\xff" * 10 + "\r\ncontent-length: 2\r\n", {400, 422}),
        ("zqxjk: " + "a" * 200_000 + "\r\ncontent-length: 2\r\n", {400, 431}),
        ("".join(f"x-{number}: a\r\n" for number in range(20_000)) + "content-length: 2\r\n", {400, 431}),
        ("no colon\r\n", {400}),
        ("x: a\x00b\r\n", {400}),
        ("connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 2\r\n", {400, 403, 405, 422}),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, str) else None,
)
def test_nonsense_in_headers(server: Server, head: str, statuses: set[int]) -> None:
    # Where the head says that the body is in chunks, this is none.
    answer = server.ask(f"{POST}{head}\r\n{{}}\r\n".encode("latin-1"))
    assert int(answer.split()[1]) in statuses
    assert "zqxjk" not in answer


@pytest.mark.parametrize(
    "start",
    [
        "nonsense\r\n\r\n",
        "POST /predict/\x00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "POST /predict/\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /models/%00%ff%2e%2e%2f HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET http://zqxjk/models/zqxjk HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /models/" + "a" * 200_000 + " HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "CONNECT zqxjk:443 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /models/zqxjk HTTP/9.9\r\nhost: localhost\r\n\r\n",
        "GET /models/zqxjk HTTP/1.1\r\nhost: [zqxjk\r\n\r\n",
        "GET /models/zqxjk HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00" * 50 + "\r\n\r\n",
    ],
    ids=lambda value: repr(value[:40]),
)
def test_nonsense_in_the_request_line(server: Server, start: str) -> None:
    answer = server.ask(start.encode("latin-1"))
    assert 400 <= int(answer.split()[1]) < 500
    assert "zqxjk" not in answer
