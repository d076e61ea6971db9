"""Weights as they were declared: an A/B test, an ensemble, and a shadow, where the control has them all."""

from collections.abc import Mapping, Sequence

from ml.experiments.policies.base import Observation, Policy, State, normalised


class Fixed(Policy):
    """Learns nothing but the sums."""

    def __init__(self, arms: Sequence[str], *, weights: Mapping[str, float] | None = None) -> None:
        """weights: of each arm, in any proportion, one that is left out 0; None: the control answers."""
        super().__init__(arms)
        declared = {self.arms[0]: 1.0} if weights is None else weights
        self._weights = normalised({arm: float(declared.get(arm, 0)) for arm in self.arms})

    def weights(self, state: State) -> dict[str, float]:
        """As declared."""
        return dict(self._weights)

    def _learn(self, state: State, one: Observation) -> None:
        pass
