"""The weights of an ensemble's members, by what each of them would have lost (Clipper, Crankshaw et al. 2017, section 5.2)."""

import math
from collections.abc import Sequence

from ml.experiments.policies.base import Observation, Policy, State, normalised

MEMORY = 1000.0


class Exp4(Policy):
    """Exp4's weights of experts (Auer et al. 2002) where every member's advice is known: no loss has to be estimated.

    A member's weight falls by exp(-rate * loss), then each gives a share to all (fixed share, Herbster and Warmuth 1998), so
    that one which has failed, or has become the best, is soon followed. Members that were absent keep their weight, and those
    that were there share theirs among themselves (sleeping experts, Freund, Schapire, Singer and Warmuth 1997).
    """

    def __init__(self, arms: Sequence[str], *, memory: float | None = None) -> None:
        """memory: about after how many outcomes another member may be the best; None: MEMORY. The share is 1 / memory, and
        the rate what is best for one such change (Cesa-Bianchi and Lugosi 2006, Corollary 5.1).
        """
        super().__init__(arms)
        memory = MEMORY if memory is None else memory
        self._share = 1 / memory
        self._rate = math.sqrt(8 / memory * (2 * math.log(len(self.arms)) + math.log(memory) + 1))

    def start(self) -> State:
        """`weights`: of each member, equal at first."""
        return {**super().start(), "weights": dict.fromkeys(self.arms, 1 / len(self.arms))}

    def weights(self, state: State) -> dict[str, float]:
        """Of each member, were it there."""
        return normalised({arm: state["weights"][arm] for arm in self.arms})

    def _learn(self, state: State, one: Observation) -> None:
        if not one.losses:
            return
        weights = state["weights"]
        before = sum(weights[arm] for arm in one.losses)
        least = min(one.losses.values())
        fallen = {arm: weights[arm] * math.exp(-self._rate * (loss - least)) for arm, loss in one.losses.items()}
        kept = (1 - self._share) * before / sum(fallen.values())
        given = self._share * before / len(fallen)
        for arm, weight in fallen.items():
            weights[arm] = kept * weight + given
