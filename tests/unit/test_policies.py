"""What holds of every policy: weights, states as JSON, batches, and what is refused."""

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.errors import ContractError
from ml.experiments.policies import POLICIES, Observation, Policy

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "ab": [{"weights": {"a": 0.9, "b": 0.1}}],
    "ensemble": [{"weights": {"a": 3, "b": 1}}],
    "shadow": [{}],
    "canary": [{"steps": [0.01, 0.5], "step_outcomes": 5, "margin": 0.4, "error": 0.3}],
    "thompson": [{}, {"memory": 20}],
    "exp3": [{}, {"memory": 20}],
    "exp4": [{}, {"memory": 20}],
}
MADE = [POLICIES[name](["a", "b"], **chosen) for name, choices in SETTINGS.items() for chosen in choices]
UNORDERED = [POLICIES["ab"](["a", "b"]), POLICIES["thompson"](["a", "b"]), POLICIES["exp3"](["a", "b"])]
ARM = st.sampled_from("ab")
LOSS = st.floats(0, 1) | st.sampled_from([0.0, 1.0])
OBSERVATION = st.one_of(
    st.builds(lambda arm, p, loss: Observation(arm, p, {arm: loss}), ARM, st.sampled_from([0.01, 0.5, 0.99]), LOSS),
    st.builds(lambda losses: Observation("a", 1.0, losses), st.dictionaries(ARM, LOSS)),
    st.builds(lambda arm: Observation(arm, 0.5, failed=(arm,)), ARM),
)


@given(policy=st.sampled_from(MADE), observations=st.lists(OBSERVATION, max_size=60), cut=st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_a_state_is_a_value(policy: Policy, observations: list[Observation], cut: int) -> None:
    start = policy.start()
    kept = copy.deepcopy(start)
    state = policy.observe(start, observations)
    assert start == kept == policy.start()
    weights = policy.weights(state)
    assert list(weights) == policy.arms
    assert math.isclose(sum(weights.values()), 1, abs_tol=1e-12)
    assert all(0 <= weight <= 1 for weight in weights.values())
    read = json.loads(json.dumps(state, allow_nan=False))
    assert read == state
    half = json.loads(json.dumps(policy.observe(start, observations[:cut])))
    assert policy.observe(half, observations[cut:]) == state
    assert policy.weights(read) == weights


@given(observations=st.lists(OBSERVATION, max_size=40), seed=st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_sums_are_those_of_the_losses(observations: list[Observation], seed: Any) -> None:
    shuffled = list(observations)
    seed.shuffle(shuffled)
    for policy in MADE:
        arms = policy.observe(policy.start(), observations)["arms"]
        other = policy.observe(policy.start(), shuffled)["arms"]
        for arm in "ab":
            losses = [one.losses[arm] for one in observations if arm in one.losses]
            assert arms[arm]["outcomes"] == other[arm]["outcomes"] == len(losses)
            assert arms[arm]["failures"] == sum(arm in one.failed for one in observations)
            assert arms[arm]["sum"] == pytest.approx(sum(losses), abs=1e-9)
            assert other[arm]["squares"] == pytest.approx(sum(loss * loss for loss in losses), abs=1e-9)
    for policy in UNORDERED:
        found = [policy.weights(policy.observe(policy.start(), batch)) for batch in (observations, shuffled)]
        assert found[0] == pytest.approx(found[1], abs=1e-9)


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (Observation("a", 0.0, {"a": 0.1}), "probability 0.0"),
        (Observation("a", math.nan, {"a": 0.1}), "probability nan"),
        (Observation("a", 0.5, {"a": 1.5}), r"loss of arm 'a' is 1.5.*loss_scale"),
        (Observation("a", 0.5, {"a": math.nan}), "is nan"),
        (Observation("c", 0.5), "arm 'c'. The arms are a, b"),
        (Observation("a", 0.5, {"c": 0.5}), "arm 'c'"),
    ],
)
def test_what_is_no_observation_is_refused(observation: Observation, message: str) -> None:
    for policy in MADE:
        with pytest.raises(ContractError, match=message):
            policy.observe(policy.start(), [observation])


def test_declared_weights_are_kept() -> None:
    state = MADE[0].observe(MADE[0].start(), [Observation("b", 0.1, {"b": 1.0})] * 50)
    assert MADE[0].weights(state) == {"a": 0.9, "b": 0.1}
    assert MADE[1].weights(state) == {"a": 0.75, "b": 0.25}
    assert MADE[2].weights(state) == {"a": 1.0, "b": 0.0}
