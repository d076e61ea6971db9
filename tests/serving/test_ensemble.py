"""One answer of several arms: their weighted mean, made by the deadline of those that are ready."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.experiments.ensemble import Ensemble
from serving.requests.instances import Row
from serving.settings import Settings
from tests.made_up_release import CLASSES
from tests.served_experiments import MACHINES, SECONDS, ask, lines, plant, publish, until

SETTINGS = Settings(cache_rows=0)
ARMS = {"control": "stops@1", "second": "stops@2", "third": "stops@3"}
WEIGHTS = {"control": 1, "second": 3, "third": 4}
Faults = dict[int, Callable[[list[Row]], None]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    return tmp_path


class Hang:
    """Hangs until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go = threading.Event()

    def __call__(self, _: list[Row]) -> None:
        self.began.set()
        self.go.wait(SECONDS)


@pytest.fixture
def hang() -> Iterator[Hang]:
    hang = Hang()
    yield hang
    hang.go.set()


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return plant(monkeypatch)


def _fail(_: list[Row]) -> None:
    raise RuntimeError("planted")


def _scores(answer: dict[str, Any]) -> list[Any]:
    return [one["score"] for one in answer["predictions"]]


def test_the_answer_is_the_weighted_mean(home: Path) -> None:
    publish(home, "ensemble", arms=ARMS, weights=WEIGHTS, deadline_ms=60_000)
    with TestClient(create_app(SETTINGS)) as client:
        of_versions = [_scores(ask(client, MACHINES, version=version)) for version in (1, 2, 3)]
        (home / "events" / "predictions").rename(home / "events" / "before")
        client.app.state.events.close()
        answer = ask(client, MACHINES)
        counted = client.get("/v2/models/stops/stats").json()["model_stats"]
        explained = client.post("/predict/stops", json={"instances": [{"machine": "m1"}], "explain": True})
    assert [one["inference_count"] for one in counted] == 3 * [2 * len(MACHINES)]
    expected = np.array([1, 3, 4]) / 8 @ np.array(of_versions)
    np.testing.assert_allclose(_scores(answer), expected, rtol=1e-12)
    assert [one["label"] for one in answer["predictions"]] == (expected >= 0.5).tolist()
    assert (answer["version"], answer["experiment"], answer["absent"]) == (None, "trial", [])
    assert (explained.status_code, explained.json()["detail"][0]["loc"]) == (422, ["body", "explain"])
    assert "name a version" in explained.json()["detail"][0]["msg"]

    *members, whole = lines(home, "predictions")
    assert {event["request_id"] for event in (*members, whole)} == {answer["request_id"]}
    assert [(event["assignment"]["arm"], event["assignment"]["role"]) for event in members] == [
        (arm, "member") for arm in ARMS
    ]
    assert [event["score"] for event in members] == of_versions
    assert (whole["assignment"]["arm"], whole["assignment"]["role"], whole["version"]) == ("stops", "ensemble", 0)
    assert whole["score"] == _scores(answer)
    assert (whole["weights"], whole["absent"]) == ({"control": 1 / 8, "second": 3 / 8, "third": 1 / 2}, [])
    assert whole["names"] == []
    assert set(whole["features"][0]) == set()


def test_several_classes(home: Path) -> None:
    publish(home, "ensemble", arms=ARMS, weights=WEIGHTS, deadline_ms=60_000, task="multiclass")
    with TestClient(create_app(SETTINGS)) as client:
        of_versions = [_scores(ask(client, MACHINES, version=version)) for version in (1, 2, 3)]
        answer = ask(client, MACHINES)
    matrix = np.array([[[score[name] for name in CLASSES] for score in scores] for scores in of_versions])
    expected = np.tensordot(np.array([1, 3, 4]) / 8, matrix, axes=1)
    np.testing.assert_allclose([[score[name] for name in CLASSES] for score in _scores(answer)], expected, rtol=1e-12)
    assert [one["label"] for one in answer["predictions"]] == [CLASSES[place] for place in expected.argmax(axis=1)]
    assert set(CLASSES) == {one["label"] for one in answer["predictions"]}


def test_a_straggler_is_not_waited_for(home: Path, faults: Faults, hang: Hang) -> None:
    publish(home, "ensemble", arms=ARMS, weights=WEIGHTS, deadline_ms=300)
    with TestClient(create_app(SETTINGS)) as client:
        of_versions = np.array([_scores(ask(client, MACHINES, version=version)) for version in (1, 2)])
        faults[3] = hang
        assert "third" in ask(client, MACHINES)["absent"]
        assert hang.began.wait(SECONDS)
        # It hangs still, and the others may be slow on a machine that is shared.
        answer = until(lambda: found if (found := ask(client, MACHINES))["absent"] == ["third"] else None)
        np.testing.assert_allclose(_scores(answer), np.array([1, 3]) / 4 @ of_versions, rtol=1e-12)
        whole = lines(home, "predictions")[-1]
        assert (whole["weights"], whole["absent"]) == ({"control": 0.25, "second": 0.75}, ["third"])
        assert 'eiderdown_arm_late_total{model="stops",version="3"}' in client.get("/metrics").text
        hang.go.set()
        until(lambda: not ask(client, MACHINES)["absent"])


def test_all_are_late_and_the_first_answers(home: Path, faults: Faults, hang: Hang) -> None:
    publish(home, "ensemble", arms=ARMS, weights={"control": 0, "second": 0, "third": 1}, deadline_ms=1)
    with TestClient(create_app(SETTINGS)) as client:
        expected = _scores(ask(client, MACHINES, version=2))
        faults |= {1: hang, 2: lambda _: time.sleep(0.3), 3: hang}
        answer = ask(client, MACHINES)
        # One without weight is better than no answer.
        assert answer["absent"] == ["control", "third"]
        assert _scores(answer) == expected
        hang.go.set()


def test_arms_that_fail(home: Path, faults: Faults) -> None:
    publish(home, "ensemble", arms=ARMS, weights=WEIGHTS, deadline_ms=60_000)
    with TestClient(create_app(SETTINGS)) as client:
        expected = _scores(ask(client, MACHINES, version=2))
        faults |= dict.fromkeys((1, 3), _fail)
        answer = ask(client, MACHINES)
        assert answer["absent"] == ["control", "third"]
        np.testing.assert_allclose(_scores(answer), expected, rtol=1e-12)
        assert 'eiderdown_arm_failures_total{model="stops",version="3"} 1.0' in client.get("/metrics").text
        faults[2] = _fail
        assert client.post("/predict/stops", json={"instances": [{"machine": "m1"}]}).status_code == 500
        faults.clear()
        assert ask(client, MACHINES)["absent"] == []


def test_a_client_that_leaves_is_not_waited_for(
    home: Path, faults: Faults, hang: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(home, "ensemble", arms=ARMS, deadline_ms=60_000)
    real = Ensemble.answer

    async def answer_nobody(self: Ensemble, rows: list[Row], deadline: float, _: Any, explain: bool = False) -> Any:
        async def gone() -> None:
            while not hang.began.is_set():
                await asyncio.sleep(0.01)

        return await real(self, rows, deadline, gone, explain)

    with TestClient(create_app(SETTINGS)) as client:
        with monkeypatch.context() as left:
            left.setattr(Ensemble, "answer", answer_nobody)
            faults |= dict.fromkeys((1, 2, 3), hang)
            with pytest.raises(AssertionError):
                # There is no answer at all.
                client.post("/predict/stops", json={"instances": [{"machine": "m1"}]})
        hang.go.set()
        assert ask(client, MACHINES)["absent"] == []
        assert 'eiderdown_requests_total{route="/predict/{model}",status="499"} 1.0' in client.get("/metrics").text


_SERVER = """
import threading
from fastapi.testclient import TestClient
from serving.app import create_app
from serving.predictions.predictor import Predictor

real = Predictor.predict
began = threading.Event()

def predict(self, rows, stages):
    if began.is_set() and self.released.version == 3:
        threading.Event().wait()
    return real(self, rows, stages)

Predictor.predict = predict
with TestClient(create_app()) as client:
    began.set()
    print(client.post("/predict/stops", json={"instances": [{"machine": "m1"}]}).json()["absent"])
"""


def test_an_arm_that_hangs_for_ever_keeps_no_server_from_ending(home: Path) -> None:
    publish(home, "ensemble", arms=ARMS, deadline_ms=2000)
    ended = subprocess.run([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, timeout=SECONDS, check=True)
    assert b"third" in ended.stdout
