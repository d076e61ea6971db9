"""What the ways of an experiment have in common: its arms, and by what weights they are asked."""

import asyncio
import datetime as dt
import logging
from abc import abstractmethod
from collections.abc import Coroutine
from typing import Any

import orjson

from ml.experiments.assignment import Draw
from ml.experiments.declaration import CONTROL
from ml.experiments.released import NotRunnableError, ReleasedExperiment
from ml.experiments.states import ExperimentState
from serving.metrics.metrics import Metrics
from serving.predictions.answered import MadeBy
from serving.predictions.predictor import Explanation, Prediction
from serving.predictions.served_model import ServedModel
from serving.predictions.target import Gone, Target
from serving.requests.instances import Row

logger = logging.getLogger("serving")


class ServedArm:
    """An arm: a version of a model, asked with rows of the control's fields."""

    def __init__(self, name: str, served: ServedModel, control: ServedModel, metrics: Metrics) -> None:
        """Raises NotRunnableError where its model takes what the control does not, or answers something else."""
        self.name = name
        self.served = served
        self.made_by = MadeBy(name, served.name, served.released.version)
        self.failures = metrics.counter("eiderdown_arm_failures", model=served.name, version=str(served.version))
        self._places = _places(name, served, control)
        self._problem = ""

    def fail(self, error: BaseException) -> None:
        """Count that the arm could not score, and say so where it is another failure than the last."""
        self.failures.add()
        problem = f"{type(error).__name__}: {error}"
        if problem != self._problem:
            self._problem = problem
            logger.error({"event": "arm_failed", "arm": self.name, "model": self.served.name, "problem": problem})

    def predict(self, rows: list[Row], deadline: float, gone: Gone) -> Coroutine[Any, Any, list[Prediction]]:
        """A prediction for each row of the control's fields. Raises what ServedModel.predict does."""
        # No coroutine around another: each costs a request its time.
        return self.served.predict(self._rows(rows), deadline, gone)

    async def explain(self, rows: list[Row]) -> list[Explanation]:
        """An explanation for each row of the control's fields. Raises what ServedModel.explain does."""
        return await self.served.explain(self._rows(rows))

    def line(self, request_id: str, rows: list[Row], predictions: list[Prediction], more: bytes) -> bytes:
        """The line of the event log for rows of the control's fields."""
        return self.served.events.line(request_id, self._rows(rows), predictions, more)

    def _rows(self, rows: list[Row]) -> list[Row]:
        places = self._places
        return rows if places is None else [[row[place] for place in places] for row in rows]


class Experiment(Target):
    """An experiment of a release, which answers requests for a model. Used from the event loop's thread, but for `take`."""

    version = None
    _moment = 1.0
    """In seconds."""

    def __init__(
        self, released: ReleasedExperiment, release: str, arms: dict[str, ServedModel], metrics: Metrics
    ) -> None:
        """arms: a version for each. Raises NotRunnableError."""
        control = arms[CONTROL]
        self.name, self.signature = released.endpoint, control.signature
        self.spec, self.fingerprint = released.spec, released.fingerprint
        self.state: ExperimentState | None = None
        self._release = release
        self._arms = {name: ServedArm(name, served, control, metrics) for name, served in arms.items()}
        self._control = self._arms[CONTROL]
        self._draw = Draw(self._first_weights())

    @property
    def versions(self) -> dict[str, MadeBy]:
        """The version of each arm."""
        return {name: arm.made_by for name, arm in self._arms.items()}

    @property
    def weights(self) -> dict[str, float]:
        """By which requests are assigned, or answers are weighed."""
        return self._draw.weights

    def take(self, state: ExperimentState) -> None:
        """Go by what is known of the experiment. One that is of other arms is passed over."""
        if state.weights.keys() == self._arms.keys() and sum(state.weights.values()) > 0:
            total = sum(state.weights.values())
            self._draw = Draw({name: state.weights[name] / total for name in self._arms})
            self.state = state

    def check(self, instances: Any, most: int, now: dt.datetime) -> list[Row]:
        """A request's instances as rows of the control's fields."""
        return self._control.served.check(instances, most, now)

    def observe(self, parse: float, serialise: float) -> None:
        """Count the seconds of the stages of a request that are its protocol's, as the control's."""
        self._control.served.observe(parse, serialise)

    async def finish(self) -> None:
        """Wait until what is queued is scored; for an arm that hangs no longer than a moment."""
        finishing = [asyncio.ensure_future(arm.served.finish()) for arm in self._arms.values()]
        _, late = await asyncio.wait(finishing, timeout=self._moment)
        for one in late:
            one.cancel()

    @abstractmethod
    def _first_weights(self) -> dict[str, float]:
        """Of the arms, the control first, before anything is known."""


def assignment(experiment: ReleasedExperiment, arm: str, role: str, **more: Any) -> bytes:
    """What a line of the event log says of its place in an experiment: a field, with a comma behind."""
    names = {"experiment": experiment.spec.name, "fingerprint": experiment.fingerprint, "endpoint": experiment.endpoint}
    return b'"assignment":%s,' % orjson.dumps(names | {"arm": arm, "role": role} | more)


def _places(name: str, served: ServedModel, control: ServedModel) -> list[int] | None:
    """Where each of an arm's fields stands in a row of the control's; None where they are the same."""
    mine, theirs = served.signature, control.signature
    if (mine.task, mine.classes) != (theirs.task, theirs.classes):
        raise NotRunnableError(f"the arm {name} has other classes than the control")
    there = {field.name: field for field in theirs.request}
    for field in mine.request:
        given = there.get(field.name)
        if given is None:
            raise NotRunnableError(
                f"the arm {name} takes the request field {field.name}, which the control does not; make it the control"
            )
        if given.type != field.type or (field.required and not given.required):
            raise NotRunnableError(f"the arm {name} takes the request field {field.name} otherwise than the control")
    # The prediction time is the last field, whatever its name.
    order = [*(field.name for field in theirs.request), None]
    places = [order.index(name) for name in [*(field.name for field in mine.request), None]]
    return None if places == list(range(len(order))) else places
