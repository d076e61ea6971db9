"""What a learner knows is what the files hold, each outcome once: over restarts, full disks and other releases."""

import dataclasses
import datetime as dt
import json
import random
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.experiments.released import CurrentExperiments
from ml.experiments.states import read_states, write_state
from serving.events.appended_lines import Line
from serving.experiments import learner
from serving.experiments.learner import Learner
from tests.made_up_release import point_at
from tests.served_experiments import (
    ALIASES,
    ARMS,
    publish,
    sums_of_files,
    sums_of_state,
)

ACTIONS = ("predict", "tell", "tell", "again", "round", "restart", "full", "switch", "nonsense", "wrong")
NONSENSE = (
    b"null\n",
    b'{"request_id": "\n',
    b'{"assignment":{}}\n',
    b"\x00\xff\n",
    b'[{"assignment":{"fingerprint":[]}}]\n',
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("learned")
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EIDERDOWN_HOME", str(home))
        yield home
    signal.signal(signal.SIGXFSZ, handler)


class Worker:
    """Writes made-up events of an experiment to files, as the workers of a server would, and has them learned."""

    def __init__(self, home: Path, releases: list[str], chance: random.Random) -> None:
        self._home, self._releases, self._chance = home, releases, chance
        shutil.rmtree(home / "events", ignore_errors=True)
        point_at(home, releases[0])
        current = CurrentExperiments()
        assert current.refresh()
        self.fingerprint = current.found[0].fingerprint
        self._requests: list[tuple[str, int]] = []
        self._told: list[dict[str, Any]] = []
        self._learner = Learner()

    def do(self, action: str) -> None:
        """Do one of ACTIONS."""
        getattr(self, f"_{action}")()

    def end(self) -> None:
        """Have all learned, whatever was the last."""
        point_at(self._home, self._releases[0])
        self._learner.round()
        self._learner.round()

    def _append(self, kind: str, content: bytes) -> None:
        folder = self._home / "events" / kind
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"20260101T000000-{self._chance.randrange(3):032x}.jsonl").open("ab") as file:
            file.write(content)

    def _predict(self) -> None:
        arm = self._chance.choice(list(ARMS))
        assignment = {
            "experiment": "trial",
            "fingerprint": self.fingerprint,
            "endpoint": "stops",
            "arm": arm,
            "role": "answer",
        }
        if self._chance.random() < 0.2:
            assignment |= {"arm": "control", "instead_of": "treatment"}
        places = sorted(self._chance.sample(range(5), self._chance.randrange(1, 4)))
        request_id = f"{len(self._requests):032x}"
        scores = [self._chance.random() for _ in places]
        event = {
            "request_id": request_id,
            "assignment": assignment,
            "places": places,
            "probability": 0.5,
            "score": scores,
        }
        self._append("predictions", json.dumps(event, separators=(",", ":")).encode() + b"\n")
        self._requests += [(request_id, place) for place in places]

    def _tell(self) -> None:
        if self._requests:
            request_id, place = self._chance.choice(self._requests)
            outcome = random.Random(f"{request_id}-{place}").random() < 0.5
            self._told.append({"model": "stops", "request_id": request_id, "instance": place, "outcome": outcome})
            self._again()

    def _again(self) -> None:
        if self._told:
            self._append("feedback", json.dumps(self._chance.choice(self._told[-3:])).encode() + b"\n")

    def _wrong(self) -> None:
        """An outcome of no request, of another model, or that is none: the right one may still come."""
        known = self._chance.choice([*self._requests, ("f" * 32, 0)])
        event = {"model": "stops", "request_id": known[0], "instance": known[1], "outcome": True}
        change = self._chance.choice(
            [
                {"outcome": None},
                {"outcome": "late"},
                {"outcome": [1]},
                {"model": "other"},
                {"instance": 99},
                {"request_id": 3},
            ]
        )
        self._append("feedback", json.dumps(event | change).encode() + b"\n")

    def _nonsense(self) -> None:
        self._append(self._chance.choice(["predictions", "feedback", "experiments"]), self._chance.choice(NONSENSE))

    def _round(self) -> None:
        self._learner.round()

    def _restart(self) -> None:
        self._learner = Learner()

    def _switch(self) -> None:
        """To a release with another version as an arm, or back."""
        point_at(self._home, self._chance.choice(self._releases))
        self._learner.round()

    def _full(self) -> None:
        """A round while the disk takes a part of what is written, or nothing."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._chance.choice([0, 200, 2000]), before[1]))
        try:
            self._learner.round()
        except OSError:
            pass
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def releases(home: Path) -> list[str]:
    return [publish(home, "thompson"), publish(home, "thompson", aliases=ALIASES | {"challenger": 3})]


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(ACTIONS), min_size=20, max_size=60))
def test_each_outcome_counts_once(home: Path, releases: list[str], chance: random.Random, actions: list[str]) -> None:
    worker = Worker(home, releases, chance)
    for action in actions:
        worker.do(action)
    worker.end()
    known = read_states().get(worker.fingerprint)
    expected = sums_of_files(home, worker.fingerprint)
    if known is None:
        assert expected == {arm: [0, 0.0, 0.0, 0] for arm in ARMS}
        return
    learned = sums_of_state(known.state)
    assert {arm: pytest.approx(sums) for arm, sums in expected.items()} == learned
    for arm, (outcomes, losses, _, failures) in expected.items():
        # Of this policy too: a failure is a loss.
        assert known.state["rewards"][arm] == pytest.approx([outcomes - losses, losses + failures])


def test_what_was_stopped_is_final(home: Path, releases: list[str]) -> None:
    worker = Worker(home, releases, random.Random(1))
    for action in ("predict", "tell", "predict", "tell", "round"):
        worker.do(action)
    stopped = read_states()[worker.fingerprint].stopped("by hand")
    write_state(stopped)
    for action in ("predict", "tell", "round", "restart", "predict", "tell", "round"):
        worker.do(action)
    worker.end()
    assert read_states()[worker.fingerprint] == stopped


def test_what_is_known_of_other_arms_is_passed_over(home: Path, releases: list[str]) -> None:
    """As somebody's hand may have written it: all is learned anew from the files."""
    worker = Worker(home, releases, random.Random(4))
    for action in ("predict", "tell", "round"):
        worker.do(action)
    known = read_states()[worker.fingerprint]
    for state in ({}, {"arms": []}, {"arms": {"control": {}}}):
        write_state(dataclasses.replace(known, state=state, logged_at=known.logged_at + dt.timedelta(microseconds=1)))
        for action in ("restart", "predict", "tell", "round"):
            worker.do(action)
        known = read_states()[worker.fingerprint]
        assert sums_of_state(known.state) == sums_of_files(home, worker.fingerprint)


def test_an_observation_that_none_can_learn_from_keeps_no_other_back(home: Path, releases: list[str]) -> None:
    worker = Worker(home, releases, random.Random(2))
    assignment = {"experiment": "trial", "fingerprint": worker.fingerprint, "endpoint": "stops", "arm": "control"}
    assignment |= {"role": "answer", "instead_of": "an arm that is none"}
    for event in (
        {"request_id": "0" * 32, "assignment": assignment, "probability": 0.5, "score": [0.5]},
        {
            "request_id": "1" * 32,
            "assignment": assignment | {"instead_of": "treatment"},
            "probability": 0,
            "score": [0.5],
        },
    ):
        worker._append("predictions", json.dumps(event, separators=(",", ":")).encode() + b"\n")
    for action in ("round", "predict", "tell", "round"):
        worker.do(action)
    assert sum(sums[0] for sums in sums_of_state(read_states()[worker.fingerprint].state).values()) == 1


def test_files_of_days_are_read_in_bounded_memory(
    home: Path, releases: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(home, releases, random.Random(5))
    monkeypatch.setattr(learner, "MOST_PENDING", 10)
    for _ in range(50):
        worker.do("predict")
    pending = []
    take = Learner._take_prediction

    def taking(self: Learner, line: Line, event: dict[str, Any]) -> None:
        take(self, line, event)
        pending.append(len(self._pending))

    monkeypatch.setattr(Learner, "_take_prediction", taking)
    worker.do("restart")
    worker.end()
    assert len(pending) == 50
    # A request has a few instances.
    assert 10 < max(pending) < 2 * 10 + 5
