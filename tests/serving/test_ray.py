"""`eiderdown ray`: answers, replicas that come with load, releases that reach them, one that is killed, and the end."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from eiderdown.cli import app
from serving.app import create_app
from tests.made_up_release import AS_OF, HOUR, point_at, publish, row

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray")
SECONDS = 180
"""The longest wait: generous, for the machine may be slow."""
# Ray looks at the load each ten seconds otherwise.
QUICK = dict.fromkeys(
    (
        "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S",
        "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S",
    ),
    "0.2",
)
OPTIONS = ["--least", "1", "--most", "2", "--target", "1", "--upscale-delay", "0", "--cpus", "0.1"]


class Server:
    """A running `eiderdown ray`, its cluster, and the lines that it printed so far."""

    def __init__(self, process: subprocess.Popen, port: int) -> None:
        self.process = process
        self.port = port
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def predict(self, *machines: str) -> httpx.Response:
        return self.client.post("/predict/stops", json={"instances": [{"machine": name} for name in machines]})

    def metric(self, name: str) -> float:
        """A metric's value; of several series the sum."""
        lines = self.client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def replicas(self) -> set[int]:
        """The process ids of the replicas of this server's cluster."""
        listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
        rows = [line.split(maxsplit=2) for line in listed.splitlines()]
        raylets = {pid for pid, parent, *_ in rows if parent == str(self.process.pid)}
        return {int(pid) for pid, parent, *name in rows if parent in raylets and "ray::ServeReplica" in str(name)}

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    port = _free_port()
    command = [sys.executable, "-c", "from eiderdown.cli import app; app()", "ray", "--port", str(port), *options]
    environment = os.environ | QUICK | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        server = Server(process, port)
        try:
            wait_for(lambda: any(line.startswith("http://") for line in server.lines), server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            finally:
                process.kill()


@contextmanager
def load(server: Server, clients: int) -> Iterator[list[int]]:
    """Clients that ask one request after another. Gives the statuses of their answers."""
    statuses: list[int] = []
    is_over = threading.Event()

    def ask(place: int) -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=SECONDS) as client:
            while not is_over.is_set():
                body = {"instances": [{"machine": f"m{place}"}]}
                statuses.append(client.post("/predict/stops", json=body).status_code)

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def wait_for(is_so: Callable[[], bool], server: Server) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert server.process.poll() is None, "".join(server.lines)
        assert time.monotonic() < deadline, "".join(server.lines)
        time.sleep(0.05)


@needs_ray
def test_a_deployment_from_its_start_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    monkeypatch.setenv("EIDERDOWN_MAX_INSTANCES", "7")
    monkeypatch.setenv("EIDERDOWN_MAX_BODY_SECONDS", str(SECONDS))
    first = _publish(tmp_path, heat=1.0)
    with serving(*OPTIONS) as server:
        _check_answers(server)
        _check_guard(server)
        with load(server, 6) as statuses:
            wait_for(lambda: server.metric("eiderdown_workers") == 2, server)
        assert set(statuses) == {200}
        second = _publish(tmp_path, heat=-1.0)
        wait_for(lambda: _releases(server) == {second}, server)
        _check_answers(server)
        _publish_altered(tmp_path, heat=2.0)
        wait_for(lambda: server.metric("eiderdown_release_failures_total") == 2, server)
        assert "stops_v1.txt: missing or altered" in server.client.get("/health/ready").json()["problems"][0]
        assert _releases(server) == {second}
        _check_that_no_replica_comes_without_a_release(server, tmp_path, first)
        _check_end(server)


def test_what_cannot_be_is_said_before_ray_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    for options, said in [
        (["--host", "0.0.0.0"], "no tokens say who may call"),
        (["--least", "3", "--most", "2"], "--least 3 is more than --most 2"),
        ([], "no release has been published"),
    ]:
        answer = CliRunner().invoke(app, ["ray", *options])
        assert answer.exit_code == 1
        assert said in answer.output
    publish(tmp_path, [])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = CliRunner().invoke(app, ["ray", "--port", str(taken.getsockname()[1])])
        assert "cannot listen at 127.0.0.1" in answer.output


def _check_answers(server: Server) -> None:
    """That they are bit by bit what the application answers here."""
    with TestClient(create_app(), base_url="http://localhost") as here:
        for path, body in [
            ("/predict/stops", {"instances": [{"machine": f"m{place}"} for place in range(7)], "explain": True}),
            ("/features/machine", {"keys": [{"machine": "m1"}, {"machine": "nobody"}]}),
            ("/predict/stops", {"instances": [{"machine": "m1"}] * 8}),
            ("/predict/nothing", {"instances": [{"machine": "m1"}]}),
        ]:
            there, expected = server.client.post(path, json=body), here.post(path, json=body)
            assert there.status_code == expected.status_code
            assert _known(there.json()) == _known(expected.json())
            assert there.headers["content-security-policy"] == expected.headers["content-security-policy"]


def _check_guard(server: Server) -> None:
    """That a replica sees the proxy's address: other requests here name it in Host, which it answers to only where it does."""
    assert server.client.get("/models", headers={"host": "evil.example"}).status_code == 421
    assert server.client.get("/models", headers={"origin": "https://evil.example"}).status_code == 403


def _check_that_no_replica_comes_without_a_release(server: Server, home: Path, whole: str) -> None:
    """Where one is killed while the current release cannot be loaded; the other goes on with what it has."""
    before = server.replicas()
    assert len(before) == 2
    os.kill(min(before), signal.SIGKILL)
    wait_for(
        lambda: any("stops_v1.txt: missing or altered" in line and "deployment" in line for line in server.lines),
        server,
    )
    wait_for(lambda: server.metric("eiderdown_workers") == 1, server)
    assert all(server.predict("m1").status_code == 200 for _ in range(20))
    point_at(home, whole)
    with load(server, 6) as statuses:
        wait_for(lambda: server.metric("eiderdown_workers") == 2, server)
    assert set(statuses) == {200}
    wait_for(lambda: _releases(server) == {whole}, server)


def _check_end(server: Server) -> None:
    """That a request whose body is on its way is answered, and that nothing of Ray stays."""
    body = json.dumps({"instances": [{"machine": "m1"}]}).encode()
    head = f"POST /predict/stops HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        connection.sendall(head + body[:-1])
        wait_for(lambda: bool(server.predict("m1").content), server)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: any('"event": "ending"' in line for line in server.lines), server)
        wait_for(lambda: server.client.get("/models").status_code == 404, server)
        connection.sendall(body[-1:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    replicas = server.replicas()
    assert server.process.wait(SECONDS) == 0
    assert not [process for process in replicas if Path(f"/proc/{process}").exists()]


def _publish(home: Path, heat: float) -> str:
    return publish(home, [row(f"m{place}", AS_OF - HOUR, AS_OF - HOUR, heat * place) for place in range(10)])


def _publish_altered(home: Path, heat: float) -> None:
    """Point at a release whose model is not what its manifest says."""
    elsewhere = home / "elsewhere"
    name = _publish(elsewhere, heat)
    (elsewhere / "releases" / name / "models" / "stops_v1.txt").write_text("altered")
    (elsewhere / "releases" / name).rename(home / "releases" / name)
    point_at(home, name)


def _releases(server: Server) -> set[str]:
    """The releases of so many answers that no replica is left out, but once in a million million runs."""
    return {server.predict("m1").json()["release"] for _ in range(40)}


def _known(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "request_id"}


def _free_port() -> int:
    """A port that is free, and none of those that the system, or Ray, gives by itself."""
    while True:
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", random.randrange(20_000, 30_000)))
            except OSError:
                continue
            return int(found.getsockname()[1])
