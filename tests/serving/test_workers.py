"""`eiderdown serve` with several workers under load: one that is killed, and SIGTERM."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

SECONDS = 60
"""The longest wait: generous, for the machine may be slow."""


class Server:
    """A running `eiderdown serve`."""

    def __init__(self, process: subprocess.Popen, url: str) -> None:
        self.process = process
        self.url = url
        self.port = int(url.rpartition(":")[2])

    def workers(self) -> set[int]:
        """The ids of the worker processes."""
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return set(map(int, found.stdout.split()))

    def metric(self, name: str) -> float:
        """The sum of a metric's series."""
        text = httpx.get(f"{self.url}/metrics").text
        return sum(float(line.split()[-1]) for line in text.splitlines() if re.match(rf"{name}[ {{]", line))


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    """A server for as long as the context lasts."""
    command = [sys.executable, "-c", "from eiderdown.cli import app; app()", "serve", "--port", "0", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as process:
        try:
            assert process.stdout is not None
            server = Server(process, process.stdout.readline().strip())
            wait_for(lambda: server.metric("eiderdown_workers") == (2 if "2" in options else 1))
            yield server
        finally:
            process.kill()


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            if is_so():
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def request_of(instance: dict) -> bytes:
    body = json.dumps({"instances": [instance]}).encode()
    head = "POST /predict/flight_delay HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class Client(threading.Thread):
    """Asks on one connection after another until no connection is to be had, or it is told to stop.

    answers: request ids; lost: what happened to requests that were sent and not answered whole.
    """

    def __init__(self, port: int, request: bytes, per_connection: int) -> None:
        super().__init__()
        self._port, self._request, self._per_connection = port, request, per_connection
        self.answers: list[str] = []
        self.lost: list[str] = []
        self.stop = False

    def run(self) -> None:
        while not self.stop:
            try:
                connection = socket.create_connection(("127.0.0.1", self._port), timeout=SECONDS)
            except (ConnectionRefusedError, TimeoutError):
                return
            with connection:
                for _ in range(self._per_connection):
                    # A connection that the server has closed takes no request any more.
                    if self.stop or select.select([connection], [], [], 0)[0] or not self._ask(connection):
                        break

    def _ask(self, connection: socket.socket) -> bool:
        """Ask once. Returns whether the connection stays."""
        received = b""
        try:
            connection.sendall(self._request)
            while b"\r\n\r\n" not in received or len(received) < _length(received):
                part = connection.recv(65536)
                if not part:
                    self.lost.append(f"closed after {len(received)} bytes")
                    return False
                received += part
        except OSError as error:
            self.lost.append(repr(error))
            return False
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), received
        self.answers.append(json.loads(body)["request_id"])
        return b"connection: close" not in head


def _length(received: bytes) -> int:
    head, _, _ = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length, head
    return len(head) + 4 + int(length[1])


@contextmanager
def load(server: Server, instance: dict, count: int, per_connection: int) -> Iterator[list[Client]]:
    clients = [Client(server.port, request_of(instance), per_connection) for _ in range(count)]
    for client in clients:
        client.start()
    wait_for(lambda: all(len(client.answers) > 5 for client in clients))
    yield clients
    for client in clients:
        client.stop = True
        client.join()


def logged_ids(home: Path) -> set[str]:
    """The request ids in the event log, whose lines are all whole."""
    files = (home / "events" / "predictions").glob("*.jsonl")
    return {json.loads(line)["request_id"] for file in files for line in file.read_text().splitlines()}


def test_a_killed_worker_is_replaced_and_what_was_accepted_is_answered_before_the_end(
    served_home: Path, instance: dict
) -> None:
    with serving("--workers", "2") as server:
        before = server.workers()
        assert len(before) == 2
        with (
            load(server, instance, 3, per_connection=1000) as kept,
            load(server, instance, 3, per_connection=2) as short,
        ):
            clients = [*kept, *short]
            killed = min(before)
            os.kill(killed, signal.SIGKILL)
            answered = [len(client.answers) for client in clients]
            wait_for(lambda: len(server.workers() - {killed}) == 2)
            wait_for(lambda: server.metric("eiderdown_workers") == 2)
            wait_for(
                lambda: all(len(client.answers) > count + 5 for client, count in zip(clients, answered, strict=True))
            )
            # What the killed worker was answering is lost, a request a connection; nothing else is, to the end.
            assert all(len(client.lost) <= 1 for client in clients)
            for client in clients:
                client.lost.clear()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(SECONDS) == 0
            _assert_answered(clients, served_home)


def test_one_process_waits_for_a_body_that_is_on_its_way(
    served_home: Path, instance: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EIDERDOWN_MAX_BODY_SECONDS", str(SECONDS))
    request = request_of(instance)
    with serving() as server, socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        connection.sendall(request[:-20])
        with load(server, instance, 3, per_connection=2) as clients:
            server.process.send_signal(signal.SIGTERM)
            _assert_answered(clients, served_home)
        assert server.process.poll() is None
        connection.sendall(request[-20:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert server.process.wait(SECONDS) == 0


def test_a_second_signal_ends_at_once(served_home: Path, instance: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_MAX_BODY_SECONDS", str(SECONDS))
    with serving("--workers", "2") as server:
        workers = server.workers()
        with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
            connection.sendall(request_of(instance)[:-20])
            wait_for(lambda: server.metric("eiderdown_workers") == 2)
            server.process.send_signal(signal.SIGTERM)
            wait_for(lambda: not _takes_connections(server.port))
            assert server.process.poll() is None
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(SECONDS) != 0
        assert not any(_is_running(worker) for worker in workers)


def test_workers_end_when_the_process_that_started_them_is_killed(served_home: Path) -> None:
    with serving("--workers", "2") as server:
        workers = server.workers()
        server.process.kill()
        wait_for(lambda: not any(_is_running(worker) for worker in workers))


def _assert_answered(clients: list[Client], home: Path) -> None:
    """That clients of a server that ends lost no request, and that the log has what they were answered."""
    for client in clients:
        client.join(SECONDS)
        assert not client.is_alive()
    assert [client.lost for client in clients] == [[]] * len(clients)
    assert {answer for client in clients for answer in client.answers} <= logged_ids(home)


def _takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # One that has ended and that nobody asks after is there still.
    state = subprocess.run(["ps", "-o", "state=", "-p", str(process)], capture_output=True, text=True, check=False)
    return state.stdout.strip() not in ("", "Z")
