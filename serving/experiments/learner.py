"""Learns what came of the predictions of experiments, and says so as events, by which all workers go.

It joins the lines of predictions and of feedback that the workers append, so that it is all the same which of them answered and
which was told the outcome. An event holds what was learned and how far the files were read for it: whoever goes on after a kill
counts nothing twice and leaves nothing out.
"""

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from ml import files
from ml.errors import ContractError
from ml.experiments.declaration import CONTROL, ENSEMBLES, LEARNING
from ml.experiments.losses import loss_of
from ml.experiments.policies import POLICIES, Observation, State
from ml.experiments.released import CurrentExperiments, ReleasedExperiment
from ml.experiments.states import KIND, ExperimentState
from serving.events.appended_lines import AppendedLines, Line
from serving.events.event_file import EventFile
from serving.experiments.states import States
from serving.metrics.metrics import Metrics

OUTCOME_DAYS = 7
"""Files to which nobody has written for longer are not read again when a learner begins."""
NEWS = 0.001
"""What is observed is news from this share of what was observed before on."""
NEWS_WEIGHT = 0.01
"""So is a change of an arm's weight by more."""
MOST_PENDING = 1_000_000
"""Predictions that wait for their outcome, of a few hundred bytes each; of more than so many, after a round, or twice as many in
one, those that were read first are forgotten."""

logger = logging.getLogger("serving")


@dataclass(slots=True)
class _Pending:
    """A prediction whose outcome is not known: the scores of the arms that made it."""

    learned: "Learned"
    arm: str
    probability: float
    scores: dict[str, Any] = field(default_factory=dict)


class Learned:
    """What is known of an experiment, and what was observed since."""

    def __init__(self, experiment: ReleasedExperiment, known: ExperimentState | None) -> None:
        self.experiment = experiment
        spec = experiment.spec
        self._policy = POLICIES[spec.policy](list(spec.arms), **spec.policy_settings)
        self._state, self._read = self._policy.start(), {}
        self._said_at = known.logged_at if known else dt.datetime.min.replace(tzinfo=dt.UTC)
        if known is not None and _is_of_arms(known.state, self._state):
            self._state, self._read = known.state, dict(known.read)
        self._observed: list[Observation] = []

    def counts(self, line: Line, kind: str) -> bool:
        """Whether a line is new to what is known."""
        return line.next_at > self._read.get(f"{kind}/{line.file}", 0)

    def observe(self, observation: Observation) -> None:
        """Take what came of a prediction. Raises ContractError for what the policy does not take."""
        self._policy.check(observation)
        self._observed.append(observation)

    def loss(self, arm: str, score: Any, outcome: Any) -> float | None:
        """What an arm's score cost."""
        signature, spec = self.experiment.signatures[arm], self.experiment.spec
        threshold = 0.5 if signature.threshold is None else signature.threshold
        scale = spec.loss_scale or 1.0
        return loss_of(signature.task, spec.loss, score, outcome, signature.classes, scale, threshold)

    def learn(self, read: dict[str, int]) -> ExperimentState | None:
        """What is known now, where something is new. read: how far the files were read."""
        if not self._observed:
            return None
        state = self._policy.observe(self._state, self._observed)
        status, reason = self._policy.status(state)
        spec = self.experiment.spec
        return ExperimentState(
            # A clock that was set back makes no state older than the one before it.
            max(dt.datetime.now(dt.UTC), self._said_at),
            spec.name,
            self.experiment.fingerprint,
            self.experiment.endpoint,
            spec.policy,
            status,
            reason,
            self._policy.weights(state),
            state,
            read,
        )

    def is_news(self, state: ExperimentState) -> bool:
        """Whether others are to hear of a state: what has been learned for long changes slowly, and each worker reads it all."""
        arms = self._state["arms"].values()
        outcomes = sum(arm["outcomes"] + arm["failures"] for arm in arms)
        before = self._policy.weights(self._state)
        return (
            len(self._observed) >= NEWS * outcomes
            or state.status != self._policy.status(self._state)[0]
            or any(abs(weight - before[arm]) > NEWS_WEIGHT for arm, weight in state.weights.items())
        )

    def keep(self, known: ExperimentState) -> None:
        """Go on from what was written."""
        self._state, self._said_at = known.state, known.logged_at
        self.pass_over()

    def pass_over(self) -> None:
        """Learn nothing from what was observed."""
        self._observed = []


class Learner:
    """Reads what is new about once a second. One a home at a time (serving/experiments/beside.py)."""

    def __init__(self) -> None:
        events = files.home() / "events"
        self._events = events
        self._current = CurrentExperiments()
        self._states = States(events / KIND, Metrics())
        self._file = EventFile(events / KIND)
        self._learned: dict[str, Learned] = {}
        self._begin()

    def _begin(self) -> None:
        """Read the files from the beginning: what counts is told by the states."""
        since = time.time() - OUTCOME_DAYS * 86_400
        self._predictions = AppendedLines(self._events / "predictions", since=since)
        # An outcome comes after its prediction, but the file of predictions, of one day, may have been written to for longer.
        self._feedback = AppendedLines(self._events / "feedback", since=since - 86_400)
        self._pending: dict[str, _Pending] = {}

    def round(self) -> None:
        """Read what is new, learn, and say what was learned. Raises OSError where the disk refuses; nothing is lost by that."""
        self._states.read()
        if self._current.refresh():
            self._adopt()
        if not self._learned:
            return
        # An outcome is told after its prediction was logged, so what is read in this order finds its prediction.
        names = [b'"%s"' % one.experiment.endpoint.encode() for one in self._learned.values()]
        told = [line for line in self._feedback.read_lines() if any(name in line.text for name in names)]
        for line in self._predictions.read_lines():
            if b'"assignment":{' in line.text:
                self._safely(self._take_prediction, line)
                # The first round reads the files of days.
                if len(self._pending) >= 2 * MOST_PENDING:
                    self._forget()
        # What counts already goes first: the same outcome may have been told again to another worker, whose file is read before.
        for take in (self._pass_over_outcome, self._take_outcome):
            for line in told:
                self._safely(take, line)
        self._forget()
        self._say()

    def _adopt(self) -> None:
        """Learn of the experiments of another release, unless they are the same."""
        learning = {one.fingerprint: one for one in self._current.found if one.spec.policy in LEARNING}
        if learning.keys() != self._learned.keys():
            self._learned = {name: Learned(one, self._states.known.get(name)) for name, one in learning.items()}
            self._begin()

    def _safely(self, take: Callable[[Line, dict[str, Any]], None], line: Line) -> None:
        """Whatever a line holds, the next is read. Those that are torn are counted in monitoring.event_files."""
        try:
            take(line, orjson.loads(line.text))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, ContractError):
            return

    def _take_prediction(self, line: Line, event: dict[str, Any]) -> None:
        assignment = event["assignment"]
        learned = self._learned.get(assignment["fingerprint"])
        if learned is None or assignment["role"] not in ("answer", "member"):
            return
        arm, scores = assignment["arm"], event.get("score") or event["probabilities"]
        places = event.get("places") or range(len(scores))
        if failed := assignment.get("instead_of"):
            if learned.counts(line, "predictions"):
                learned.observe(Observation(failed, event["probability"], failed=(failed,)))
            return
        is_ensemble = learned.experiment.spec.policy in ENSEMBLES
        drawn, probability = (CONTROL, 1.0) if is_ensemble else (arm, event["probability"])
        for place, score in zip(places, scores, strict=True):
            pending = self._pending.setdefault(f"{event['request_id']}-{place}", _Pending(learned, drawn, probability))
            pending.scores[arm] = score

    def _pass_over_outcome(self, line: Line, event: dict[str, Any]) -> None:
        key = f"{event['request_id']}-{event['instance']}"
        pending = self._pending.get(key)
        if pending is not None and not pending.learned.counts(line, "feedback") and _losses(pending, event):
            del self._pending[key]

    def _take_outcome(self, line: Line, event: dict[str, Any]) -> None:
        key = f"{event['request_id']}-{event['instance']}"
        pending = self._pending.get(key)
        # One that is none waits for another.
        if pending is not None and (losses := _losses(pending, event)):
            del self._pending[key]
            pending.learned.observe(Observation(pending.arm, pending.probability, losses))

    def _forget(self) -> None:
        too_many = len(self._pending) - MOST_PENDING
        if too_many > 0:
            for key in list(self._pending)[:too_many]:
                del self._pending[key]
            logger.warning({"event": "outcomes_forgotten", "predictions": too_many})

    def _say(self) -> None:
        """Write what was learned: first the event, by which all go, then go on from it."""
        read = {f"predictions/{name}": size for name, size in self._predictions.bytes_read.items()}
        read |= {f"feedback/{name}": size for name, size in self._feedback.bytes_read.items()}
        for fingerprint, learned in self._learned.items():
            known = self._states.known.get(fingerprint)
            if known is not None and known.status == "stopped":
                learned.pass_over()
                continue
            state = learned.learn(read)
            if state is not None and learned.is_news(state):
                self._file.write(state.to_line())
                learned.keep(state)


def _is_of_arms(known: State, start: State) -> bool:
    """Whether a state has what the policy's own has at the start, of the same arms. One by somebody's hand may not."""
    arms = known.get("arms")
    return known.keys() >= start.keys() and isinstance(arms, dict) and arms.keys() == start["arms"].keys()


def _losses(pending: _Pending, event: dict[str, Any]) -> dict[str, float]:
    """What the arms lost by an outcome; none where it is none of the experiment's."""
    learned = pending.learned
    if event["model"] != learned.experiment.endpoint:
        return {}
    found = {arm: learned.loss(arm, score, event["outcome"]) for arm, score in pending.scores.items()}
    return {arm: loss for arm, loss in found.items() if loss is not None}
