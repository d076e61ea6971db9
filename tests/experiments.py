"""Simulated experiments: what policies do in worlds whose truth is known. For tests and benchmarks."""

from dataclasses import dataclass

import numpy as np

from ml.experiments.policies.base import Observation, Policy, State
from ml.experiments.policies.canary import Canary
from ml.experiments.sequential import PROTECTION, radius

BATCH = 10
TOLD = 100
"""Outcomes that a canary is told at a time; it looks after each of its own."""
CHUNK = 2_000_000


@dataclass(frozen=True)
class Losses:
    """A distribution of losses: its values and their probabilities."""

    values: np.ndarray
    probabilities: np.ndarray

    @property
    def mean(self) -> float:
        return float(self.values @ self.probabilities)

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return rng.choice(self.values, size, p=self.probabilities)

    def sums(self, rng: np.random.Generator, outcomes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sums of so many losses and of their squares."""
        if len(self.values) == 2:
            ones = rng.binomial(outcomes, self.probabilities[1])
            return ones, ones
        counts = rng.multinomial(outcomes, self.probabilities)
        return counts @ self.values, counts @ self.values**2


def errors(share: float) -> Losses:
    """0 or 1."""
    return Losses(np.array([0.0, 1.0]), np.array([1 - share, share]))


def squared_errors(mean: float) -> Losses:
    """Like Brier losses of a binary model: many small ones, few great ones; tilted to the mean."""
    values = np.linspace(0, 1, 11) ** 2
    low, high = -60.0, 60.0
    for _ in range(100):
        tilt = (low + high) / 2
        found = np.exp(-3 * np.sqrt(values) + tilt * values)
        found /= found.sum()
        low, high = (tilt, high) if found @ values < mean else (low, tilt)
    return Losses(values, found)


def play(policy: Policy, losses: np.ndarray, rng: np.random.Generator, batch: int = 1) -> tuple[np.ndarray, State]:
    """The arms that the policy drew in a world of losses (rounds, arms), with outcomes told batch by batch; and its last
    state.
    """
    state, drawn = policy.start(), np.empty(len(losses), int)
    places = np.arange(len(policy.arms))
    for start in range(0, len(losses), batch):
        weights = np.array(list(policy.weights(state).values()))
        rows = range(start, min(start + batch, len(losses)))
        drawn[start : rows.stop] = rng.choice(places, len(rows), p=weights)
        state = policy.observe(
            state,
            [
                Observation(policy.arms[arm], float(weights[arm]), {policy.arms[arm]: float(losses[row, arm])})
                for row, arm in zip(rows, drawn[start : rows.stop], strict=True)
            ],
        )
    return drawn, state


def regret(policy: Policy, losses: np.ndarray, rng: np.random.Generator) -> float:
    """How much more was lost than with the best arm."""
    drawn, _ = play(policy, losses, rng)
    return float(losses[np.arange(len(losses)), drawn].sum() - losses.sum(axis=0).min())


def adversarial(kind: str, rounds: int, arms: int, rng: np.random.Generator) -> np.ndarray:
    """Losses (rounds, arms): 'gap', one arm is better by 0.1; 'turn', the better arm becomes the worst at half time;
    'blocks', the better arm changes with each of ever longer blocks; 'tempting', all but the last arm are good first, and the
    last one ever after.
    """
    means = np.full((rounds, arms), 0.5)
    if kind == "gap":
        means[:, -1] -= 0.1
    elif kind == "turn":
        means[: rounds // 2, 0], means[rounds // 2 :, 0] = 0.3, 0.9
    elif kind == "blocks":
        block = np.log2(np.arange(rounds) + 1).astype(int)
        means[np.arange(rounds), block % arms] -= 0.4
    elif kind == "tempting":
        means[: rounds // 10, -1], means[rounds // 10 :, -1] = 1.0, 0.2
    return (rng.random(means.shape) < means).astype(float)


def predictions(rounds: int, noises: tuple[float, ...], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (rounds, members) and outcomes (rounds,) of a binary task, about a quarter of them positive.

    The truth is the logit of what features say; members know it with noise, half of it (in variance) common to all, and are
    calibrated about as trained models are.
    """
    logit = rng.normal(-1.3, 1.2, rounds)
    outcomes = (rng.random(rounds) < 1 / (1 + np.exp(-logit))).astype(float)
    noise = np.sqrt(0.5) * (rng.normal(size=(rounds, 1)) + rng.normal(size=(rounds, len(noises))))
    shrunk = 1.44 / (1.44 + np.square(noises))
    known = -1.3 + shrunk * (logit[:, None] + 1.3 + noise * np.array(noises))
    return 1 / (1 + np.exp(-known)), outcomes


def ensemble(policy: Policy, given: np.ndarray, outcomes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ensemble's answers (rounds,), each with the weights before its outcome, and the weights (rounds, members)."""
    state, weights = policy.start(), np.empty_like(given)
    losses = np.square(given - outcomes[:, None])
    for row, lost in enumerate(losses.tolist()):
        weights[row] = list(policy.weights(state).values())
        state = policy.observe(state, [Observation(policy.arms[0], 1.0, dict(zip(policy.arms, lost, strict=True)))])
    return (weights * given).sum(axis=1), weights


def ramp(
    policy: Canary, control: Losses, canary: Losses, rng: np.random.Generator, most: int = 400_000
) -> tuple[str, int, int]:
    """Requests until the canary is stopped or has all, or so many: the status, the requests, and the canary's outcomes."""
    state, requests = policy.start(), 0
    while policy.status(state)[0] == "running" and requests < most:
        share = policy.weights(state)[policy.canary]
        chosen = rng.random(TOLD) < share
        lost = np.where(chosen, canary.draw(rng, TOLD), control.draw(rng, TOLD))
        state = policy.observe(
            state,
            [
                Observation(policy.canary, share, {policy.canary: loss})
                if is_canary
                else Observation(policy.control, 1 - share, {policy.control: loss})
                for is_canary, loss in zip(chosen.tolist(), lost.tolist(), strict=True)
            ],
        )
        requests += TOLD
    return policy.status(state)[0], requests, state["arms"][policy.canary]["outcomes"]


def ever_outside(
    first: Losses, second: Losses, share: float, requests: int, error: float, runs: int, rng: np.random.Generator
) -> tuple[float, float]:
    """In which shares of the runs the truth was ever below the interval, and ever above it, looking after each batch of 10
    requests.

    The same as `sequential.difference` of one stratum, for all runs and looks at once.
    """
    truth = second.mean - first.mean
    sums, below, above = np.zeros((6, runs, 1)), np.zeros(runs, bool), np.zeros(runs, bool)
    looks = max(1, min(requests // BATCH, CHUNK // runs))
    for _ in range(max(1, requests // BATCH // looks)):
        n2 = rng.binomial(BATCH, share, (runs, looks))
        n1 = BATCH - n2
        drawn = (n1, *first.sums(rng, n1), n2, *second.sums(rng, n2))
        added = [sums[place] + np.cumsum(one, axis=1, dtype=float) for place, one in enumerate(drawn)]
        sums = np.array([one[:, -1:] for one in added])
        difference, far = interval(*added, error)
        below |= (truth < difference - far).any(axis=1)
        above |= (truth > difference + far).any(axis=1)
    return float(below.mean()), float(above.mean())


def interval(
    n1: np.ndarray, s1: np.ndarray, q1: np.ndarray, n2: np.ndarray, s2: np.ndarray, q2: np.ndarray, error: float
) -> tuple[np.ndarray, np.ndarray]:
    """The differences and their radii, infinite where an arm has no outcome."""
    both = (n1 > 0) & (n2 > 0)
    n1, n2 = np.maximum(n1, 1), np.maximum(n2, 1)
    variance = (q1 - s1 * s1 / n1 + PROTECTION) / n1**2 + (q2 - s2 * s2 / n2 + PROTECTION) / n2**2
    far = radius(variance, 1 / np.minimum(n1, n2), error, np.log)
    return s2 / n2 - s1 / n1, np.where(both, far, np.inf)
