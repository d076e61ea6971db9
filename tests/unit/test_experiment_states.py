"""What is known of an experiment: lines that are none, and which state follows which."""

import dataclasses
import datetime as dt
import itertools
import json
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.experiments.states import ExperimentState, follows

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
STATE = ExperimentState(
    START, "trial", "f" * 16, "stops", "ab", "running", None, {"control": 1.0, "b": 0.0}, {}, {"f": 3}
)


def test_a_line_is_the_state_again() -> None:
    line = STATE.to_line()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert ExperimentState.parse(line) == STATE


@pytest.mark.parametrize(
    "change",
    [
        {"logged_at": "2026-01-01T00:00:00"},
        {"logged_at": 3},
        {"status": "fine"},
        {"weights": {"control": "1"}},
        {"weights": {"control": -1}},
        {"weights": {"control": float("nan")}},
        {"weights": [1]},
        {"state": None},
        {"read": []},
        {"fingerprint": ["f"]},
        {"more": 1},
    ],
)
def test_no_state(change: dict) -> None:
    assert ExperimentState.parse(json.dumps(json.loads(STATE.to_line()) | change).encode()) is None


def test_a_torn_line_is_no_state() -> None:
    line = STATE.to_line()
    assert [ExperimentState.parse(line[:end]) for end in range(len(line) - 2)] == [None] * (len(line) - 2)
    assert [ExperimentState.parse(other) for other in (b"null", b"[]", b"{}", b"\xff", b"3")] == [None] * 5


@given(st.lists(st.sampled_from(["running", "full", "stopped"]), min_size=1, max_size=5))
def test_all_who_read_know_the_same_in_whatever_order(statuses: list[str]) -> None:
    """The stop of a person may stand in a file that is read after the learner's, who did not know of it."""
    states = [
        dataclasses.replace(STATE, status=status, logged_at=START + dt.timedelta(seconds=second))
        for second, status in enumerate(statuses)
    ]
    stopped = [state for state in states if state.status == "stopped"]
    for order in itertools.permutations(states):
        known = reduce(lambda before, state: state if follows(state, before) else before, order, None)
        assert known == (stopped or states)[-1]
