"""Exp3 (Auer, Cesa-Bianchi, Freund and Schapire 2002): a bandit that supposes nothing of the losses."""

import math
from collections.abc import Sequence

from ml.experiments.policies.base import Observation, Policy, State, loss_of_drawn, normalised

FLOOR = 1 / 4
"""No arm has less of the traffic than this times the rate, so one outcome moves no weight by more than exp(1 / FLOOR)."""


class Exp3(Policy):
    """Exponential weights of estimated losses, with the anytime rate of Bubeck and Cesa-Bianchi (2012), Theorem 3.1:
    sqrt(ln K / (t K)) after t outcomes, whose expected regret against the best arm is at most 2 sqrt(T K ln K) at every T. The
    floor adds at most 2 FLOOR of sqrt(T K ln K), so it stays under the 2 sqrt((e - 1) T K ln K) of Exp3 with a rate for one T.

    A loss counts by 1 / the probability with which its arm was drawn, as it was logged; so outcomes may come late and in any
    order. An arm that could not score has the loss 1.
    """

    def __init__(self, arms: Sequence[str], *, memory: float | None = None) -> None:
        """memory: with each outcome the estimates before count by 1 / memory less, and the rate stays that of so many
        outcomes, so that an arm which becomes better is found; None: all count alike.
        """
        super().__init__(arms)
        self._memory = math.inf if memory is None else memory

    def start(self) -> State:
        """`outcomes` that were learned from, and of each arm the `estimates`, of the sum of its losses."""
        return {**super().start(), "outcomes": 0, "estimates": dict.fromkeys(self.arms, 0.0)}

    def weights(self, state: State) -> dict[str, float]:
        """Proportional to exp(-rate * estimate), but none below FLOOR * rate (or half of an equal share, where that is less)."""
        arms, estimates = len(self.arms), state["estimates"]
        outcomes = max(1, min(state["outcomes"], self._memory))
        rate = math.sqrt(math.log(arms) / (arms * outcomes))
        floor = min(FLOOR * rate, 0.5 / arms)
        least = min(estimates.values())
        weights = normalised({arm: math.exp(-rate * (estimates[arm] - least)) for arm in self.arms})
        return {arm: floor + (1 - floor * arms) * weight for arm, weight in weights.items()}

    def _learn(self, state: State, one: Observation) -> None:
        loss = loss_of_drawn(one)
        if loss is None:
            return
        state["outcomes"] += 1
        estimates = state["estimates"]
        if self._memory < math.inf:
            for arm in estimates:
                estimates[arm] *= 1 - 1 / self._memory
        estimates[one.arm] += loss / one.probability
