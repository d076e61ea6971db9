"""A canary: the second arm's share of the traffic grows step by step, until it has all, or is stopped."""

from collections.abc import Sequence

from ml.experiments.policies.base import Observation, Policy, State
from ml.experiments.sequential import Interval, Sums, difference

FAILURES = 3
"""So many requests that the canary could not score stop it; one or two may be a machine's bad moment."""


class Canary(Policy):
    """Looks after each outcome of the canary; a decision to stop or to go to the full stands.

    Stopped where it failed FAILURES times, or where its mean loss is greater than the control's. To the next step after so
    many outcomes since the last; from the last step to the full where moreover its mean loss is shown to be greater by less
    than the margin. Means are compared within each share that the canary had, as the logged probability tells it
    (`sequential.difference`).
    """

    def __init__(
        self,
        arms: Sequence[str],
        *,
        steps: Sequence[float],
        step_outcomes: int,
        margin: float,
        error: float,
    ) -> None:
        """steps: the canary's shares, rising; step_outcomes: outcomes of the canary before the next; margin: by how much its
        mean loss may be greater; error: the probability that a canary which is no worse is ever stopped, and that one which
        is worse by the margin ever goes to the full. A canary that loses a little, less than the margin, may be stopped where
        that is shown first.
        """
        super().__init__(arms)
        self.control, self.canary = self.arms
        self.steps, self.step_outcomes, self.margin, self.error = list(steps), step_outcomes, margin, error

    def start(self) -> State:
        """At the first step. `strata`: for each step, the Sums of the control and of the canary."""
        strata = [[list(Sums()), list(Sums())] for _ in self.steps]
        return {**super().start(), "step": 0, "step_outcomes": 0, "status": "running", "reason": None, "strata": strata}

    def weights(self, state: State) -> dict[str, float]:
        """The share of the step; 1 at the full, 0 when stopped."""
        share = {"running": self.steps[state["step"]], "stopped": 0.0, "full": 1.0}[state["status"]]
        return {self.control: 1 - share, self.canary: share}

    def status(self, state: State) -> tuple[str, str | None]:
        """What was decided, and why."""
        return state["status"], state["reason"]

    def _learn(self, state: State, one: Observation) -> None:
        if state["status"] != "running":
            return
        failures = state["arms"][self.canary]["failures"]
        if failures >= FAILURES:
            self._decide(state, "stopped", f"'{self.canary}' failed {failures} times.")
            return
        loss = one.losses.get(one.arm)
        if loss is None:
            return
        is_canary = one.arm == self.canary
        share = one.probability if is_canary else 1 - one.probability
        step = min(range(len(self.steps)), key=lambda place: abs(self.steps[place] - share))
        sums = state["strata"][step][is_canary]
        sums[0] += 1
        sums[1] += loss
        sums[2] += loss * loss
        if is_canary:
            state["step_outcomes"] += 1
            self._look(state)

    def _look(self, state: State) -> None:
        # Each end is passed with half of the interval's error, and each decision hangs on one end.
        found = difference(state["strata"], 2 * self.error)
        if found.low > 0:
            reason = f"The mean loss of '{self.canary}' is greater than that of '{self.control}'"
            self._decide(state, "stopped", f"{reason} {self._figures(state, found)}.")
        elif state["step_outcomes"] < self.step_outcomes:
            return
        elif state["step"] < len(self.steps) - 1:
            state["step"] += 1
            state["step_outcomes"] = 0
        elif found.high < self.margin:
            reason = f"The mean loss of '{self.canary}' is greater than that of '{self.control}' by less than {self.margin:g}"
            self._decide(state, "full", f"{reason} {self._figures(state, found)}.")

    def _decide(self, state: State, status: str, reason: str) -> None:
        state["status"], state["reason"] = status, reason

    def _figures(self, state: State, found: Interval) -> str:
        outcomes = sum(canary[0] for _, canary in state["strata"])
        return (
            f"after {outcomes:,} outcomes of it: by {found.difference:.4f}, between {found.low:.4f} and {found.high:.4f}, "
            f"where each end holds at all looks with an error of {self.error:g}"
        )
