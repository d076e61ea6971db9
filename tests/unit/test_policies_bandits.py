"""Thompson sampling, Exp3 and Exp4 against brute force, and what they reach in simulated worlds."""

import math

import numpy as np
import pytest

from ml.experiments.policies import Observation
from ml.experiments.policies.exp3 import FLOOR, Exp3
from ml.experiments.policies.exp4 import Exp4
from ml.experiments.policies.thompson import Thompson, probabilities_best
from tests import experiments

ARMS = ["a", "b", "c"]


@pytest.mark.parametrize(
    "parameters",
    [
        [(1, 1), (1, 1)],
        [(3, 5), (40, 60)],
        [(1, 30), (2, 40), (1, 1)],
        [(0.5, 0.1), (900, 100), (91, 9), (1e5, 1.1e4)],
        [(700.5, 300), (705, 302.25), (690, 290)],
    ],
)
def test_probabilities_best_are_those_of_draws(parameters: list[tuple[float, float]]) -> None:
    draws = 400_000
    drawn = np.random.default_rng(1).beta(*np.transpose(parameters), size=(draws, len(parameters)))
    shares = np.bincount(drawn.argmax(axis=1), minlength=len(parameters)) / draws
    found = probabilities_best(np.array(parameters, float))
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert found == pytest.approx(shares, abs=4.5 * math.sqrt(0.25 / draws))


def test_probabilities_best_of_two_have_a_sum() -> None:
    """P(B > A) = Σ over i < b1 of B(a1 + i, a2 + b2) / ((b2 + i) B(1 + i, b2) B(a1, a2)) for integers."""

    def beta(first: float, second: float) -> float:
        return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)

    for a1, a2, b1, b2 in ((5, 9, 7, 6), (300, 700, 330, 690), (2, 1000, 3, 1000), (1, 1, 40, 2)):
        terms = (math.exp(beta(a1 + i, a2 + b2) - math.log(b2 + i) - beta(1 + i, b2) - beta(a1, a2)) for i in range(b1))
        assert probabilities_best(np.array([(a1, a2), (b1, b2)], float))[1] == pytest.approx(sum(terms), abs=2e-5)


def test_probabilities_best_of_very_narrow_variables() -> None:
    many = 1e8
    equal, better, by_one_sigma = (0.3 * many, 0.7 * many), (0.301 * many, 0.699 * many), 0.3 * many + 6481
    assert probabilities_best(np.array([equal] * 3)) == pytest.approx([1 / 3] * 3, abs=1e-4)
    assert probabilities_best(np.array([equal, better])) == pytest.approx([0, 1], abs=1e-12)
    # Of independent normal variables whose means lie one standard deviation of the difference apart.
    shifted = (by_one_sigma, many - by_one_sigma)
    assert probabilities_best(np.array([equal, shifted]))[1] == pytest.approx(0.8413, abs=2e-3)


def test_thompson_counts_rewards_and_fades() -> None:
    told = [Observation("a", 0.5, {"a": 0.25}), Observation("b", 0.5, failed=("b",)), Observation("a", 0.5, {"b": 0.5})]
    assert Thompson(ARMS).observe(Thompson(ARMS).start(), told)["rewards"] == {
        "a": [0.75, 0.25],
        "b": [0.0, 1.0],
        "c": [0.0, 0.0],
    }
    faded = Thompson(ARMS, memory=2).observe(Thompson(ARMS).start(), told[:2])
    assert faded["rewards"]["a"] == [0.375, 0.125]


@pytest.mark.parametrize("memory", [None, 25.0])
def test_exp3_is_the_textbook(memory: float | None) -> None:
    rng = np.random.default_rng(3)
    policy, state = Exp3(ARMS, memory=memory), Exp3(ARMS).start()
    estimates = np.zeros(3)
    for told in range(200):
        count = max(1.0, min(told, memory or told))
        rate = math.sqrt(math.log(3) / (3 * count))
        exponential = np.exp(-rate * estimates) / np.exp(-rate * estimates).sum()
        floor = min(FLOOR * rate, 1 / 6)
        expected = (1 - 3 * floor) * exponential + floor
        found = policy.weights(state)
        assert list(found.values()) == pytest.approx(expected, abs=1e-12)
        arm, loss = rng.choice(3, p=expected), rng.random()
        estimates = estimates * (1 - 1 / memory if memory else 1)
        estimates[arm] += loss / expected[arm]
        state = policy.observe(state, [Observation(ARMS[arm], found[ARMS[arm]], {ARMS[arm]: loss})])


def test_exp3_stays_finite_after_very_many_outcomes() -> None:
    policy = Exp3(ARMS)
    state = {**policy.start(), "outcomes": 10**8, "estimates": {"a": 4e7, "b": 9e7, "c": 1e12}}
    weights = policy.weights(policy.observe(state, [Observation("c", 1e-6, {"c": 1.0})]))
    floor = FLOOR * math.sqrt(math.log(3) / (3 * 10**8))
    assert weights["a"] == pytest.approx(1 - 2 * floor)
    assert weights["b"] == weights["c"] == pytest.approx(floor, rel=1e-6)


@pytest.mark.parametrize("kind", ["gap", "turn", "blocks", "tempting"])
def test_exp3s_regret_is_under_its_bound(kind: str) -> None:
    rng, rounds = np.random.default_rng(4), 1000
    regrets = [experiments.regret(Exp3(ARMS), experiments.adversarial(kind, rounds, 3, rng), rng) for _ in range(5)]
    assert np.mean(regrets) < 2 * math.sqrt(rounds * 3 * math.log(3))


def test_thompson_finds_the_better_arm() -> None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        losses = (rng.random((4000, 2)) < np.array([0.3, 0.2])).astype(float)
        drawn, state = experiments.play(Thompson(ARMS[:2]), losses, rng, batch=100)
        assert drawn[-1000:].mean() > 0.95
        assert Thompson(ARMS[:2]).weights(state)["b"] > 0.99


def test_bandits_with_memory_follow_a_change() -> None:
    rng = np.random.default_rng(6)
    losses = (rng.random((6000, 2)) < 0.3).astype(float)
    losses[:3000, 0], losses[3000:, 1] = 0.9, 0.9
    for policy in (Thompson(ARMS[:2], memory=300), Exp3(ARMS[:2], memory=300)):
        drawn, _ = experiments.play(policy, losses, rng, batch=50)
        assert drawn[2000:3000].mean() > 0.8
        assert drawn[5000:].mean() < 0.2


def test_exp4_is_exponential_weights_with_a_fixed_share() -> None:
    memory, rng = 50.0, np.random.default_rng(7)
    policy, state = Exp4(ARMS, memory=memory), Exp4(ARMS).start()
    rate = math.sqrt(8 / memory * (2 * math.log(3) + math.log(memory) + 1))
    expected = np.full(3, 1 / 3)
    for losses in rng.random((300, 3)):
        expected = expected * np.exp(-rate * losses)
        expected /= expected.sum()
        expected = (1 - 1 / memory) * expected + 1 / memory / 3
        state = policy.observe(state, [Observation("a", 1.0, dict(zip(ARMS, losses.tolist(), strict=True)))])
    assert list(policy.weights(state).values()) == pytest.approx(expected, abs=1e-12)


def test_an_absent_member_keeps_its_weight() -> None:
    policy = Exp4(ARMS)
    state = policy.observe(policy.start(), [Observation("a", 1.0, {"a": 0.1, "b": 0.2, "c": 0.9})] * 5)
    before = policy.weights(state)
    after = policy.weights(policy.observe(state, [Observation("a", 1.0, {"a": 0.0, "b": 1.0}, ("c",))] * 20))
    assert after["c"] == pytest.approx(before["c"], abs=1e-12)
    assert after["a"] > before["a"]
    assert policy.weights(policy.observe(state, [Observation("a", 1.0, {}, tuple(ARMS))])) == before
    assert policy.weights(policy.observe(state, [Observation("a", 1.0, {"b": 1.0})])) == pytest.approx(before)


@pytest.mark.parametrize("broken", [0.97, None])
def test_an_ensemble_recovers_when_its_best_member_fails(broken: float | None) -> None:
    """broken: what the best says from then on; None: the opposite of what it should."""
    rng, before, after = np.random.default_rng(8), 600, 400
    answers, members, weights = [], [], []
    for _ in range(12):
        given, outcomes = experiments.predictions(before + after, (0.4, 0.8, 1.2), rng)
        given[before:, 0] = 1 - given[before:, 0] if broken is None else broken
        answer, weight = experiments.ensemble(Exp4(ARMS), given, outcomes)
        answers.append(np.square(answer - outcomes)[-300:].mean())
        members.append(np.square(given - outcomes[:, None])[-300:].mean(axis=0))
        weights.append(weight[-1])
    assert np.mean(answers) < 1.01 * np.mean(members, axis=0).min()
    assert np.mean(weights, axis=0)[0] < 0.02
