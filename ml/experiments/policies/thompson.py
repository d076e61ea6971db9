"""Thompson sampling (Agrawal and Goyal 2012): an arm is drawn as often as it may be the best one."""

from collections.abc import Sequence

import numpy as np
from scipy.special import betainc, betaincinv

from ml.experiments.policies.base import Observation, Policy, State, loss_of_drawn

QUANTILES = 512
"""Of each arm's distribution, between which the weights are integrated."""
_TAIL = np.geomspace(1e-15, 1 / QUANTILES, 64)[:-1]
_AT = np.concatenate([[0.0], _TAIL, np.arange(1, QUANTILES) / QUANTILES])


class Thompson(Policy):
    """The reward 1 - loss of an arm has a Beta distribution, uniform at first; a reward of 0.3 counts as 0.3 wins and 0.7 losses.

    Drawing an arm by the probability that its mean reward is the greatest is Thompson sampling; the probabilities are integrated,
    and so the same for the same state. An arm that could not score has lost.
    """

    def __init__(self, arms: Sequence[str], *, memory: float | None = None) -> None:
        """memory: with each outcome what every arm learned before counts by 1 / memory less (discounted Thompson sampling,
        Raj and Kalyani 2017); None: it stays.
        """
        super().__init__(arms)
        self._kept = 1.0 if memory is None else 1 - 1 / memory

    def start(self) -> State:
        """`rewards`: of each arm the wins and the losses."""
        return {**super().start(), "rewards": {arm: [0.0, 0.0] for arm in self.arms}}

    def weights(self, state: State) -> dict[str, float]:
        """The probability that an arm's mean reward is the greatest."""
        counts = np.array([state["rewards"][arm] for arm in self.arms])
        return dict(zip(self.arms, probabilities_best(counts + 1).tolist(), strict=True))

    def _learn(self, state: State, one: Observation) -> None:
        loss = loss_of_drawn(one)
        if loss is None:
            return
        rewards = state["rewards"]
        if self._kept < 1:
            for counts in rewards.values():
                counts[0] *= self._kept
                counts[1] *= self._kept
        rewards[one.arm][0] += 1 - loss
        rewards[one.arm][1] += loss


def probabilities_best(parameters: np.ndarray) -> np.ndarray:
    """The probability of each of independent Beta variables to be the greatest. parameters: (variables, 2), greater than 0.

    The integral of the density of one times the distribution functions of the others, by the trapezoidal rule over the
    quantiles of all of them, tails of 1e-15 included; so the grid is fine where any of them is, however narrow. Two variables
    come to 1 exactly.
    """
    wins, losses = parameters[:, :1], parameters[:, 1:]
    # An upper quantile is 1 minus a lower one of the mirrored variable.
    at = np.concatenate([betaincinv(wins, losses, _AT), 1 - betaincinv(losses, wins, _AT)], axis=1)
    below = betainc(wins, losses, np.unique(at))
    steps = np.diff(below, axis=1)
    best = []
    for place in range(len(parameters)):
        others = np.delete(below, place, axis=0).prod(axis=0)
        best.append(steps[place] @ (others[1:] + others[:-1]) / 2)
    weights = np.asarray(best)
    return np.asarray(weights / weights.sum())
