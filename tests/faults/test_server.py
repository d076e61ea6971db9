"""`kill -9` of a server under load: what was answered is in the log, and the next run reads it."""

import random
import signal
import threading
import time

import httpx
import pytest

from eiderdown.demonstration import tour
from tests.conftest import Project

KILLS = 5


def _ask(url: str, acknowledged: list[str]) -> None:
    """Until the server is gone."""
    with httpx.Client(base_url=url) as client:
        while True:
            try:
                answer = client.post("/predict/flight_delay", json={"instances": [tour.INSTANCE] * 20})
            except httpx.HTTPError:
                return
            acknowledged.append(answer.json()["request_id"])


def test_no_acknowledged_event_is_lost(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    acknowledged: list[str] = []
    chance = random.Random(2)
    for _ in range(KILLS):
        with tour.server() as (url, server):
            clients = [threading.Thread(target=_ask, args=(url, acknowledged)) for _ in range(4)]
            for client in clients:
                client.start()
            time.sleep(chance.uniform(0.3, 1.5))
            server.send_signal(signal.SIGKILL)
            for client in clients:
                client.join()
    assert len(acknowledged) > 50
    log = max((project.home / "events" / "predictions").iterdir(), key=lambda path: path.stat().st_size)
    whole = log.read_bytes()
    log.write_bytes(whole + whole.splitlines()[-1][:200])

    project.dbt("run", "-s", "prediction_log", "event_files")
    counts = dict(project.query("select request_id, count(*) from monitoring.prediction_log group by 1"))
    assert {request: counts.get(request) for request in acknowledged} == dict.fromkeys(acknowledged, 20)
    files = "from monitoring.event_files where kind = 'predictions'"
    torn = dict(project.query(f"select file, torn_count {files} and torn_count > 0"))
    # A kill may itself have torn a last line, of a file of its own.
    assert log.name in torn
    assert all(count == 1 for file, count in torn.items() if file != log.name)
    # An event is a request, of 20 instances.
    assert project.query(f"select 20 * sum(event_count) {files}") == [(sum(counts.values()),)]
