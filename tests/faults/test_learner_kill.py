"""Learners and servers that are killed, and a canary that fails: in the end what is known is what the files hold."""

import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from ml.experiments.states import read_states
from serving.app import create_app
from serving.requests.instances import Row
from serving.settings import Settings
from tests.served_experiments import (
    MACHINES,
    ask,
    companions,
    is_running,
    lines,
    plant,
    publish,
    sums_of_files,
    sums_of_state,
    until,
)
from tests.serving.test_workers import serving

KILLS = int(os.environ.get("EIDERDOWN_KILLS", "4"))
SETTINGS = Settings(poll_seconds=0.02)


def _tell(client: Any, answer: dict[str, Any]) -> None:
    outcomes = [
        {"request_id": answer["request_id"], "instance": place, "outcome": place % 3 == 0}
        for place in range(len(answer["predictions"]))
    ]
    assert client.post("/feedback/stops", json={"outcomes": outcomes}).status_code == 200


def _is_all_learned(home: Path, fingerprint: str) -> bool:
    known = read_states().get(fingerprint)
    if known is None:
        return False
    learned = sums_of_state(known.state)
    return {arm: pytest.approx(sums) for arm, sums in sums_of_files(home, fingerprint).items()} == learned


def test_learners_that_are_killed_while_requests_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    publish(tmp_path, "exp3")
    chance = random.Random(3)
    stop = threading.Event()
    with TestClient(create_app(SETTINGS)) as client:
        fingerprint = client.get("/models/stops").json()["experiment"]["fingerprint"]

        def go_on() -> None:
            while not stop.wait(0.01):
                answer = ask(client, MACHINES[:3])
                _tell(client, answer)
                if chance.random() < 0.3:
                    _tell(client, answer)

        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(go_on)
            killed = _kill_learners(tmp_path, chance, stop)
            asked.result()
        until(lambda: _is_all_learned(tmp_path, fingerprint))
        (last,) = until(lambda: companions("learner") - killed)
    assert sum(sums[0] for sums in sums_of_files(tmp_path, fingerprint).values()) > 0
    # None is left, not even as a zombie.
    assert companions("learner") == set()
    assert not is_running(last)


def _kill_learners(home: Path, chance: random.Random, stop: threading.Event) -> set[int]:
    """Kill learners at random moments, some right after what they have written. Returns their process ids."""
    killed: set[int] = set()
    try:
        for _ in range(KILLS):
            learner = until(lambda: companions("learner") - killed).pop()
            count = len(lines(home, "experiments"))
            if chance.random() < 0.7:
                until(lambda count=count: len(lines(home, "experiments")) > count)
            stop.wait(chance.uniform(0, 0.3))
            os.kill(learner, signal.SIGKILL)
            killed.add(learner)
    finally:
        stop.set()
    return killed


def test_a_canary_that_fails_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the failures that the workers log; the control answers meanwhile, and then all."""
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    faults = plant(monkeypatch)
    publish(tmp_path, "canary", steps=[0.5], unit=["machine"])

    def fail(_: list[Row]) -> None:
        raise RuntimeError("planted")

    with TestClient(create_app(SETTINGS)) as client:
        faults[2] = fail

        def stopped() -> dict[str, Any] | None:
            assert {one["version"] for one in ask(client, MACHINES)["predictions"]} == {1}
            shown: dict[str, Any] = client.get("/models/stops").json()["experiment"]
            return shown if shown["status"] == "stopped" else None

        shown = until(stopped)
        assert shown["arms"]["treatment"]["weight"] == 0
        assert shown["reason"].startswith("'treatment' failed ")
        del faults[2]
        assert {one["arm"] for one in ask(client, MACHINES)["predictions"]} == {"control"}


def test_a_server_of_two_workers_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    publish(tmp_path, "thompson")
    with serving("--workers", "2") as server:
        workers = server.workers()
        with httpx.Client(base_url=server.url) as client:
            fingerprint = client.get("/models/stops").json()["experiment"]["fingerprint"]
            for _ in range(20):
                _tell(client, ask(client, MACHINES[:3]))
        # One is enough for both: who comes second finds the lock taken, and ends.
        of_workers = lambda: {one for worker in workers for one in companions("learner", worker)}  # noqa: E731
        until(lambda: _is_all_learned(tmp_path, fingerprint) and len(of_workers()) == 1)
        learners = of_workers()
        server.process.send_signal(signal.SIGKILL)
        until(lambda: not any(is_running(one) for one in workers | learners))
    with TestClient(create_app(SETTINGS)) as client:
        _tell(client, ask(client, MACHINES[:3]))
        until(lambda: _is_all_learned(tmp_path, fingerprint))
    assert sum(sums[0] for sums in sums_of_files(tmp_path, fingerprint).values()) == 63
