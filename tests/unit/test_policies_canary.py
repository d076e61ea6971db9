"""The canary's way, and the interval that it goes by."""

import math
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.experiments.policies import Observation
from ml.experiments.policies.canary import FAILURES, Canary
from ml.experiments.sequential import NOTHING_KNOWN, PROTECTION, Sums, difference, paired, radius
from tests import experiments

ARMS = ["old", "new"]
SHARES = [0.1, 0.5]
SQL = """
    select s2 / n2 - s1 / n1 as difference, sqrt(2 * v * (1 + v / 0.0025) * evidence) + 2.0 / 3 * evidence / least(n1, n2)
    from (select *, ln(1 / error) + ln(1 + 0.0025 / v) / 2 as evidence from (
        select *, (q1 - s1 * s1 / n1 + 1) / (n1 * n1) + (q2 - s2 * s2 / n2 + 1) / (n2 * n2) as v
        from (select unnest($rows, recursive := true))
    ))
"""


def _canary(**settings: Any) -> Canary:
    return Canary(ARMS, **{"steps": SHARES, "step_outcomes": 20, "margin": 0.1, "error": 0.05, **settings})


def _pairs(share: float, old: float, new: float, number: int) -> list[Observation]:
    return [Observation("old", 1 - share, {"old": old}), Observation("new", share, {"new": new})] * number


def test_a_canary_goes_from_step_to_step_to_the_full() -> None:
    policy = _canary()
    state = policy.observe(policy.start(), _pairs(0.1, 0.2, 0.2, 19))
    assert policy.weights(state) == {"old": 0.9, "new": 0.1}
    state = policy.observe(state, _pairs(0.1, 0.2, 0.2, 1))
    assert policy.weights(state) == {"old": 0.5, "new": 0.5}
    state = policy.observe(state, _pairs(0.5, 0.2, 0.2, 30))
    assert policy.status(state) == (
        "running",
        None,
    )  # So few outcomes do not show that it loses by less than the margin.
    state = policy.observe(state, _pairs(0.5, 0.2, 0.2, 1000))
    status, reason = policy.status(state)
    assert status == "full"
    assert policy.weights(state) == {"old": 0.0, "new": 1.0}
    assert reason is not None
    assert "The mean loss of 'new' is greater than that of 'old' by less than 0.1 after" in reason
    assert policy.status(policy.observe(state, _pairs(0.5, 0, 1, 500))) == ("full", reason)


def test_a_canary_that_loses_more_is_stopped_and_stays_so() -> None:
    policy = _canary()
    state = policy.observe(policy.start(), _pairs(0.1, 0.2, 0.9, 400))
    status, reason = policy.status(state)
    assert status == "stopped"
    assert policy.weights(state) == {"old": 1.0, "new": 0.0}
    assert reason is not None
    assert "outcomes of it: by 0.7000, between 0." in reason
    assert policy.status(policy.observe(state, _pairs(0.1, 1, 0, 500))) == ("stopped", reason)
    assert policy.observe(state, _pairs(0.1, 1, 0, 500))["arms"]["new"]["outcomes"] == 900


def test_a_canary_that_fails_is_stopped_at_once() -> None:
    policy = _canary()
    failed = Observation("new", 0.1, failed=("new",))
    state = policy.observe(policy.start(), [Observation("old", 0.9, failed=("old",))] * 9 + [failed] * (FAILURES - 1))
    assert policy.status(state) == ("running", None)
    assert policy.status(policy.observe(state, [failed])) == ("stopped", f"'new' failed {FAILURES} times.")


def test_what_comes_late_counts_for_the_share_it_was_drawn_with() -> None:
    policy = _canary(step_outcomes=1)
    state = policy.observe(
        policy.start(), [Observation("new", 0.1, {"new": 0.5}), Observation("old", 0.9, {"old": 0.25})]
    )
    assert state["step"] == 1
    state = policy.observe(state, [Observation("new", 0.1, {"new": 0.5}), Observation("old", 0.5, {"old": 1.0})])
    assert state["strata"] == [[[1, 0.25, 0.0625], [2, 1.0, 0.5]], [[1, 1.0, 1.0], [0, 0.0, 0.0]]]


def test_worse_times_while_it_grows_do_not_stop_a_canary() -> None:
    """Both arms lose 0.2 at the share of 0.1, and 0.6 at that of 0.5: together it is the canary that had the worse times."""
    policy = _canary(step_outcomes=300, margin=0.001)
    easy = [Observation("old", 0.9, {"old": 0.2})] * 9 + [Observation("new", 0.1, {"new": 0.2})]
    state = policy.observe(policy.start(), easy * 300 + _pairs(0.5, 0.6, 0.6, 3000))
    assert policy.status(state) == ("running", None)
    arms = [Sums(*(state["arms"][arm][name] for name in Sums._fields)) for arm in ARMS]
    assert difference([(arms[0], arms[1])], 0.1).low > 0


@pytest.mark.parametrize(
    ("control", "canary", "expected"),
    [(0.1, 0.1, "full"), (0.1, 0.05, "full"), (0.1, 0.25, "stopped"), (0.1, 0.6, "stopped")],
)
def test_simulated_canaries_are_stopped_or_go_to_the_full(control: float, canary: float, expected: str) -> None:
    rng = np.random.default_rng(1)
    policy = _canary(margin=0.06, step_outcomes=50)
    arms = experiments.errors(control), experiments.errors(canary)
    assert [experiments.ramp(policy, *arms, rng)[0] for _ in range(8)].count(expected) >= 7


@pytest.mark.parametrize(
    ("control", "canary", "share", "requests"),
    [
        (experiments.errors(0.01), experiments.errors(0.01), 0.5, 20_000),
        (experiments.errors(0.01), experiments.errors(0.02), 0.01, 100_000),
        (experiments.errors(0.1), experiments.errors(0.11), 0.03, 40_000),
        (experiments.errors(0.5), experiments.errors(0.5), 0.5, 20_000),
        (experiments.squared_errors(0.18), experiments.squared_errors(0.18), 0.1, 20_000),
    ],
)
def test_the_truth_is_outside_at_any_look_as_seldom_as_stated(
    control: experiments.Losses, canary: experiments.Losses, share: float, requests: int
) -> None:
    outside = experiments.ever_outside(control, canary, share, requests, 0.1, 300, np.random.default_rng(2))
    assert max(outside) <= 0.05


@pytest.mark.parametrize(("worse", "better"), [(0.01, 0.01), (0.1, 0.0), (0.02, 0.1), (0.3, 0.3)])
def test_the_truth_is_outside_a_paired_interval_as_seldom(worse: float, better: float) -> None:
    """Errors of two arms for the same requests: where one of them errs alone the difference is 1 or -1."""
    shares = [worse, better, 1 - worse - better]
    differences = np.random.default_rng(3).choice([1.0, -1.0, 0.0], (300, 2000), p=shares)
    n, total, squares = np.arange(1, 2001), differences.cumsum(axis=1), np.square(differences).cumsum(axis=1)
    far = radius((squares - total * total / n + PROTECTION) / n**2, 1 / n, 0.1, np.log)
    assert (total / n - far > worse - better).any(axis=1).mean() <= 0.05
    assert (total / n + far < worse - better).any(axis=1).mean() <= 0.05
    found = paired(Sums(2000, total[0, -1], squares[0, -1]), 0.1)
    assert found.high - found.difference == pytest.approx(far[0, -1])


ARM_SUMS = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(
    lambda losses: Sums(len(losses), math.fsum(losses), math.fsum(loss * loss for loss in losses))
)
ERROR = st.sampled_from([0.01, 0.05, 0.1])


@given(st.lists(st.tuples(ARM_SUMS, ARM_SUMS), min_size=1, max_size=4), ERROR)
def test_the_interval_turns_with_its_arms(strata: list[tuple[Sums, Sums]], error: float) -> None:
    found = difference(strata, error)
    turned = difference([(second, first) for first, second in strata], error)
    assert (-turned.difference, -turned.high, -turned.low) == pytest.approx(tuple(found), abs=1e-12)
    assert found.low < found.difference < found.high
    widths = [end.high - end.low for end in (difference(strata, error * share) for share in (1, 0.5, 0.1))]
    assert all(one < other for one, other in pairwise(widths))
    one_sided = (strata[0][0], Sums())
    assert difference([*strata, one_sided], error) == found


@given(st.lists(st.tuples(ARM_SUMS, ARM_SUMS), min_size=1, max_size=9), ERROR)
def test_the_interval_is_the_same_in_sql_and_of_arrays(pairs: list[tuple[Sums, Sums]], error: float) -> None:
    rows = [
        {
            **{name + "1": float(value) for name, value in zip("nsq", first, strict=True)},
            **{name + "2": float(value) for name, value in zip("nsq", second, strict=True)},
            "error": error,
        }
        for first, second in pairs
    ]
    columns = [np.array([row[name] for row in rows]) for name in ("n1", "s1", "q1", "n2", "s2", "q2")]
    arrays = np.transpose(experiments.interval(*columns, error))
    expected = [
        (found.difference, found.high - found.difference) for found in (difference([pair], error) for pair in pairs)
    ]
    assert arrays.tolist() == [pytest.approx(one, rel=1e-9, abs=1e-12) for one in expected]
    assert duckdb.execute(SQL, {"rows": rows}).fetchall() == [
        pytest.approx(one, rel=1e-9, abs=1e-12) for one in expected
    ]


def test_without_both_arms_nothing_is_known() -> None:
    assert difference([], 0.05) == difference([(Sums(5, 1, 1), Sums())], 0.05) == paired(Sums(), 0.1) == NOTHING_KNOWN
