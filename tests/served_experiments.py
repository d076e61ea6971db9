"""Experiments over made-up releases: how they are published and asked, and what is to be learned of them by brute force."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.predictions.predictor import Prediction, Predictor, Stages
from serving.requests.instances import Row
from tests import made_up_release
from tests.made_up_release import AS_OF, HOUR, row

SECONDS = 120.0
"""The longest wait: generous, for the machine may be slow."""
MACHINES = [f"m{number}" for number in range(40)]
ALIASES = {"champion": 1, "challenger": 2}
ARMS = {"control": "stops@champion", "treatment": "stops@challenger"}


def publish(home: Path, policy: str, **declared: Any) -> str:
    """Publish a release of machines of many heats, whose model has three versions and an experiment. Returns its name."""
    others = {name: declared.pop(name) for name in ("aliases", "task", "fields_of", "as_of") if name in declared}
    experiment = {"name": "trial", "policy": policy, "arms": ARMS} | declared
    heats = [place / 10 - 2 for place in range(len(MACHINES))]
    rows = [row(name, AS_OF - HOUR, AS_OF - HOUR, heat) for name, heat in zip(MACHINES, heats, strict=True)]
    return made_up_release.publish(
        home, rows, versions=3, **({"aliases": ALIASES} | others), serving={"experiment": experiment}
    )


def ask(client: TestClient, machines: list[str], **others: Any) -> dict[str, Any]:
    """The answer of the model for machines."""
    answer = client.post("/predict/stops", json={"instances": [{"machine": name} for name in machines]} | others)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def lines(home: Path, kind: str) -> list[dict[str, Any]]:
    """The events of a kind, file by file; what is torn is passed over."""
    found = []
    for path in sorted((home / "events" / kind).glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                found.append(event)
    return found


def until(is_so: Callable[[], Any]) -> Any:
    """What a function gives, once that is something."""
    deadline = time.monotonic() + SECONDS
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
    return found


def plant(monkeypatch: pytest.MonkeyPatch) -> dict[int, Callable[[list[Row]], None]]:
    """What each version of the model is to do before it scores rows: a mapping to fill."""
    faults: dict[int, Callable[[list[Row]], None]] = {}
    real = Predictor.predict

    def predict(self: Predictor, rows: list[Row], stages: Stages) -> list[Prediction]:
        if fault := faults.get(self.released.version):
            fault(rows)
        return real(self, rows, stages)

    monkeypatch.setattr(Predictor, "predict", predict)
    return faults


def sums_of_files(home: Path, fingerprint: str) -> dict[str, list[float]]:
    """By arm: outcomes, sum and squares of their Brier losses, and failures, of all files; each outcome once."""
    sums = {arm: [0, 0.0, 0.0, 0] for arm in ARMS}
    predictions: dict[tuple[str, int], list[tuple[str, float]]] = {}
    for event in lines(home, "predictions"):
        assignment = event.get("assignment", {})
        if assignment.get("fingerprint") != fingerprint or assignment["role"] not in ("answer", "member"):
            continue
        if "instead_of" in assignment:
            sums[assignment["instead_of"]][3] += 1
            continue
        for place, score in zip(event.get("places", range(len(event["score"]))), event["score"], strict=True):
            predictions.setdefault((event["request_id"], place), []).append((assignment["arm"], score))
    for event in lines(home, "feedback"):
        if event.get("model") != "stops" or not isinstance(event["outcome"], bool):
            continue
        for arm, score in predictions.pop((event["request_id"], event["instance"]), ()):
            loss = (score - event["outcome"]) ** 2
            sums[arm] = [sums[arm][0] + 1, sums[arm][1] + loss, sums[arm][2] + loss**2, sums[arm][3]]
    return sums


def sums_of_state(state: dict[str, Any]) -> dict[str, list[float]]:
    """The same of what was learned."""
    return {
        arm: [sums["outcomes"], sums["sum"], sums["squares"], sums["failures"]] for arm, sums in state["arms"].items()
    }


def companions(kind: str, parent: int | None = None) -> set[int]:
    """The processes of a kind beside a server, this process unless told; zombies too."""
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(parent or os.getpid())], capture_output=True, text=True, check=False
    )
    rows = [line.split(maxsplit=1) for line in found.stdout.splitlines()]
    return {int(pid) for pid, args in rows if f"serving.experiments.beside {kind}" in args or "<defunct>" in args}


def is_running(process: int) -> bool:
    """Whether a process has not ended; one that has, and that nobody asks after, is there still."""
    state = subprocess.run(["ps", "-o", "state=", "-p", str(process)], capture_output=True, text=True, check=False)
    return state.stdout.strip() not in ("", "Z")
