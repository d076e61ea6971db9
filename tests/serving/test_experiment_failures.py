"""An arm that fails, or cannot score what it is asked: the control answers, and a wrong instance is named."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ml.scoring.request_features import ExpressionError
from serving.app import create_app
from serving.predictions.predictor import Explanation, Predictor
from serving.problems import Problem, overloaded
from serving.requests.instances import Row
from serving.settings import Settings
from tests.served_experiments import MACHINES, ask, lines, plant, publish, until
from tests.serving.test_experiments import drawn

SETTINGS = Settings(poll_seconds=0.02, cache_rows=0)
UNIT = {"unit": ["machine"]}
Faults = dict[int, Callable[[list[Row]], None]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return plant(monkeypatch)


@pytest.fixture
def client(home: Path, faults: Faults) -> Iterator[TestClient]:
    """A server of an experiment by machine, half and half."""
    publish(home, "ab", **UNIT)
    with TestClient(create_app(SETTINGS)) as client:
        yield client


def test_a_wrong_instance_is_named_as_the_request_has_it(client: TestClient) -> None:
    for place in (0, 3, 39):
        instances: list[Any] = [{"machine": name} for name in MACHINES]
        instances[place] = {"machine": 3}
        answer = client.post("/predict/stops", json={"instances": instances})
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "instances", place, "machine"])


def _no_features_of(machine: str) -> Callable[[list[Row]], None]:
    """What a version does whose request-time features have no value for a machine."""

    def fail(rows: list[Row]) -> None:
        for place, values in enumerate(rows):
            if values[0] == machine:
                raise ExpressionError(place)

    return fail


@pytest.mark.parametrize(("cache_rows", "arm"), [(0, "control"), (0, "treatment"), (1000, "treatment")])
def test_a_row_that_no_version_can_score(home: Path, faults: Faults, cache_rows: int, arm: str) -> None:
    publish(home, "ab", **UNIT)
    with TestClient(create_app(Settings(cache_rows=cache_rows))) as client:
        arms = drawn(client, MACHINES)
        place = max(place for place, name in enumerate(arms[:15]) if name == arm)
        faults.update(dict.fromkeys((1, 2), _no_features_of(MACHINES[place])))
        instances = [{"machine": name} for name in MACHINES[:15]]
        answer = client.post("/predict/stops", json={"instances": instances})
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "instances", place])
        # That is nobody's failure but the client's.
        assert _failures(client) == 0
        # One that the control can score is answered by it.
        del faults[1]
        answer = ask(client, MACHINES[:15])
        assert answer["predictions"][place]["arm"] == "control"
        assert _failures(client) == (arm == "treatment")


def _failures(client: TestClient) -> float:
    text = client.get("/metrics").text
    return sum(
        float(line.split()[-1]) for line in text.splitlines() if line.startswith("eiderdown_arm_failures_total{")
    )


def _raise(error: Exception) -> Callable[[list[Row]], None]:
    def fail(_: list[Row]) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [RuntimeError("planted"), MemoryError(), overloaded("planted")])
def test_the_control_answers_for_an_arm_that_fails(
    client: TestClient, home: Path, faults: Faults, error: Exception
) -> None:
    before = ask(client, MACHINES, version=1)["predictions"]
    arms = drawn(client, MACHINES)
    faults[2] = _raise(error)
    answer = ask(client, MACHINES)
    assert [one["score"] for one in answer["predictions"]] == [one["score"] for one in before]
    assert {one["arm"] for one in answer["predictions"]} == {"control"}
    assert {one["version"] for one in answer["predictions"]} == {1}
    logged = [event for event in lines(home, "predictions") if event["request_id"] == answer["request_id"]]
    told = {event["assignment"].get("instead_of"): event for event in logged}
    assert told.keys() == {None, "treatment"}
    instead = told["treatment"]
    assert (instead["assignment"]["arm"], instead["assignment"]["role"], instead["version"]) == ("control", "answer", 1)
    assert instead["places"] == [place for place, arm in enumerate(arms) if arm == "treatment"]
    assert _failures(client) == 1
    del faults[2]
    assert {one["arm"] for one in ask(client, MACHINES)["predictions"]} == {"control", "treatment"}
    # Where the control fails too, that is an error as without an experiment.
    faults |= {1: _raise(error), 2: _raise(error)}
    answer = client.post("/predict/stops", json={"instances": [{"machine": MACHINES[0]}]})
    assert answer.status_code == (503 if isinstance(error, Problem) else 500)


def test_the_control_explains_for_an_arm_that_cannot(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    known = ask(client, MACHINES, explain=True, version=1)["predictions"]
    real = Predictor.explain

    def explain(self: Predictor, rows: list[Row]) -> list[Explanation]:
        if self.released.version == 2:
            raise RuntimeError("planted")
        return real(self, rows)

    monkeypatch.setattr(Predictor, "explain", explain)
    found = ask(client, MACHINES, explain=True)["predictions"]
    assert {one["arm"] for one in found} == {"control"}
    assert [one["explanation"] for one in found] == [one["explanation"] for one in known]


def test_a_canary_that_hangs_has_the_control_answer(home: Path, faults: Faults) -> None:
    publish(home, "canary", steps=[0.5])
    hangs = threading.Event()
    with TestClient(create_app(Settings(poll_seconds=0.02, cache_rows=0, slo_ms=20, max_seconds=60))) as client:
        faults[2] = lambda rows: hangs.wait(60) and None
        try:
            answers = [ask(client, ["m1"])["predictions"][0] for _ in range(40)]
        finally:
            hangs.set()
        assert {one["version"] for one in answers} == {1}
        instead = [line for line in lines(home, "predictions") if line["assignment"].get("instead_of") == "treatment"]
        assert 3 <= len(instead) <= 40
        state = until(
            lambda: (shown := client.get("/models/stops").json()["experiment"])["status"] == "stopped" and shown
        )
        assert "failed" in state["reason"]
