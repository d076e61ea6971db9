"""What a policy is: weights of the arms that follow from what was observed."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ml.errors import ContractError

State = dict[str, Any]
"""A JSON object. `arms` has for each arm outcomes, sum and squares of their losses, and failures."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of a prediction.

    arm: the one that was drawn, with what probability; of an ensemble, the control. losses: in [0, 1], of the arms that
    scored: of the drawn arm alone, or of every member that was ready. failed: arms that could not score. What failed has no
    loss, and what scored in its place is not the drawn arm.
    """

    arm: str
    probability: float
    losses: dict[str, float] = field(default_factory=dict)
    failed: tuple[str, ...] = ()


class Policy(ABC):
    """Weights that change. A policy holds settings alone; what it has learned is in the state, which no method alters.

    Observations count one by one, so it is all the same in what batches they come.
    """

    def __init__(self, arms: Sequence[str]) -> None:
        """arms: names, the control first."""
        self.arms = list(arms)

    def start(self) -> State:
        """The state before anything was observed."""
        return {"arms": {arm: {"outcomes": 0, "sum": 0.0, "squares": 0.0, "failures": 0} for arm in self.arms}}

    def observe(self, state: State, observations: Sequence[Observation]) -> State:
        """The state after these. Raises ContractError for an arm that is none, a loss outside [0, 1] and a probability that
        is none.
        """
        state = copy.deepcopy(state)
        arms = state["arms"]
        for one in observations:
            self.check(one)
            for arm, loss in one.losses.items():
                sums = arms[arm]
                sums["outcomes"] += 1
                sums["sum"] += loss
                sums["squares"] += loss * loss
            for arm in one.failed:
                arms[arm]["failures"] += 1
            self._learn(state, one)
        return state

    @abstractmethod
    def weights(self, state: State) -> dict[str, float]:
        """The probability of each arm to be drawn, or its weight in an ensemble's answer: in the order of the arms, 1
        together.
        """

    def status(self, state: State) -> tuple[str, str | None]:
        """'running', 'stopped' or 'full', and of the last two the reason, a sentence."""
        return "running", None

    def check(self, one: Observation) -> None:
        """Raise ContractError for what `observe` does not take."""
        if not 0 < one.probability <= 1:
            raise ContractError(
                f"An observation of arm '{one.arm}' has the probability {one.probability}. "
                "Give the one with which the arm was drawn, greater than 0 and at most 1."
            )
        for arm in (one.arm, *one.losses, *one.failed):
            if arm not in self.arms:
                raise ContractError(f"An observation is of the arm '{arm}'. The arms are {', '.join(self.arms)}.")
        for arm, loss in one.losses.items():
            if not 0 <= loss <= 1:
                raise ContractError(
                    f"A loss of arm '{arm}' is {loss}, and has to lie in [0, 1]. Of a regression declare a greater loss_scale."
                )

    @abstractmethod
    def _learn(self, state: State, one: Observation) -> None:
        """Alter this state, whose sums have the observation already."""


def normalised(weights: dict[str, float]) -> dict[str, float]:
    """The same weights, 1 together."""
    total = sum(weights.values())
    return {arm: weight / total for arm, weight in weights.items()}


def loss_of_drawn(one: Observation) -> float | None:
    """The loss of the arm that was drawn, to a policy that learns which to draw: the worst, 1, where it failed."""
    return 1.0 if one.arm in one.failed else one.losses.get(one.arm)
