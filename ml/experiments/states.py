"""What is known of an experiment, as events of the kind `experiments`: the newest of a fingerprint is its state."""

import dataclasses
import datetime as dt
import json
import uuid
from dataclasses import dataclass
from typing import Any

from ml import files
from ml.declared import is_number
from ml.experiments.declaration import CONTROL

KIND = "experiments"
STATUSES = ("running", "stopped", "full")


@dataclass(frozen=True)
class ExperimentState:
    """The weights of an experiment's arms, and what they follow from.

    state: the policy's own; read: {file of feedback: bytes}, up to where outcomes count in it.
    """

    logged_at: dt.datetime
    experiment: str
    fingerprint: str
    endpoint: str
    policy: str
    status: str
    reason: str | None
    weights: dict[str, float]
    state: dict[str, Any]
    read: dict[str, int]

    def to_line(self) -> bytes:
        """The event's line, which `parse` reads."""
        fields = {**self.__dict__, "logged_at": self.logged_at.isoformat(), "event_id": uuid.uuid4().hex}
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> "ExperimentState | None":
        """A line as a state; None of one that is torn, or none."""
        try:
            event = json.loads(line)
            event.pop("event_id")
            found = cls(**event | {"logged_at": dt.datetime.fromisoformat(event["logged_at"])})
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        is_state = (
            found.logged_at.tzinfo is not None
            and all(isinstance(text, str) for text in (found.experiment, found.fingerprint, found.endpoint))
            and found.status in STATUSES
            and isinstance(found.weights, dict)
            and all(is_number(weight) and weight >= 0 for weight in found.weights.values())
            and isinstance(found.state, dict)
            and isinstance(found.read, dict)
        )
        return found if is_state else None

    def stopped(self, reason: str) -> "ExperimentState":
        """The same with all requests for the control, from now on."""
        weights = {arm: float(arm == CONTROL) for arm in self.weights}
        moment = max(dt.datetime.now(dt.UTC), self.logged_at + dt.timedelta(microseconds=1))
        return dataclasses.replace(self, logged_at=moment, status="stopped", reason=reason, weights=weights)


def read_states() -> dict[str, ExperimentState]:
    """The newest state of each experiment that a home folder knows of, by fingerprint."""
    found: dict[str, ExperimentState] = {}
    for path in sorted((files.home() / "events" / KIND).glob("[!.]*.jsonl")):
        for line in path.read_bytes().splitlines():
            state = ExperimentState.parse(line)
            if state is not None and follows(state, found.get(state.fingerprint)):
                found[state.fingerprint] = state
    return found


def write_state(state: ExperimentState) -> None:
    """Write a state as an event of its own, durably: every worker goes by it within a second."""
    name = f"{state.logged_at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex}.jsonl"
    files.write_whole(files.home() / "events" / KIND / name, state.to_line())


def follows(state: ExperimentState, before: ExperimentState | None) -> bool:
    """Whether a state takes the place of the one before. What was stopped stays so, whatever whoever did not know yet has said
    since, and in whatever order the two are read.
    """
    if before is None:
        return True
    if (state.status == "stopped") != (before.status == "stopped"):
        return state.status == "stopped"
    return state.logged_at >= before.logged_at
