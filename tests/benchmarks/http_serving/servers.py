"""Servers to be measured, each in a process group of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.benchmarks.http_serving.home import KEPT, Home
from tests.conftest import REPOSITORY

SECONDS_TO_START = 180


@dataclass(frozen=True)
class Server:
    """A server that answers: its process, the leader of its group, and its address."""

    process: subprocess.Popen
    url: str

    def pause(self) -> None:
        """Stop all its processes, so that others are measured alone."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def megabytes(self) -> float:
        """The anonymous memory of all its processes: without the pages of files, such as a release's, that they have read."""
        pages = 0
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                # The name of a program stands in parentheses, and may hold spaces.
                group = int((path / "stat").read_text().rpartition(")")[2].split()[2])
                if group == self.process.pid:
                    resident, of_files = (path / "statm").read_text().split()[1:3]
                    pages += int(resident) - int(of_files)
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command: list[str | Path], port: int, path: str, body: str, settings: dict[str, str]) -> Iterator[Server]:
    """A server from its first good answer to a POST of `body` on; its processes end with the context.

    settings: added to the environment. Raises SystemExit with the end of its log where it does not answer.
    """
    log = KEPT / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=os.environ | settings, stdout=output, stderr=output, cwd=KEPT, start_new_session=True
        )
        server = Server(process, f"http://127.0.0.1:{port}")
        try:
            _await_answer(server, path, body, log)
            yield server
        finally:
            with suppress(ProcessLookupError):
                server.resume()
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await_answer(server: Server, path: str, body: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    said = "no answer"
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            answer = httpx.post(server.url + path, content=body, headers={"content-type": "application/json"})
            if answer.status_code == 200:
                return
            said = answer.text
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{server.process.args}: does not serve ({said})\n{log.read_text()[-3000:]}")


@contextmanager
def eiderdown(home: Home, settings: dict[str, str] | None = None, workers: int = 1) -> Iterator[Server]:
    """`eiderdown serve` on a home; its cache and event log begin empty, and the log is removed in the end."""
    shutil.rmtree(home.folder / "events", ignore_errors=True)
    port = free_port()
    command = [Path(sys.executable).parent / "eiderdown", "serve", "--port", str(port), "--workers", str(workers)]
    environment = {"EIDERDOWN_HOME": str(home.folder), "PYTHONPATH": str(REPOSITORY)} | (settings or {})
    body = json.dumps({"instances": [{"account": 0}]})
    try:
        with running(command, port, "/predict/quick", body, environment) as server:
            yield server
    finally:
        shutil.rmtree(home.folder / "events", ignore_errors=True)
