"""Requests that are split: each, or each unit, is answered by one arm."""

import asyncio
import time
from dataclasses import dataclass

import orjson
from starlette.requests import ClientDisconnect

from ml.experiments.assignment import bucket
from ml.experiments.declaration import CONTROL
from ml.experiments.released import NotRunnableError, ReleasedExperiment
from serving.experiments.experiment import Experiment, ServedArm
from serving.metrics.metrics import Metrics
from serving.predictions.answered import Answered, dump, head_of
from serving.predictions.predictor import Explanation, Prediction
from serving.predictions.served_model import ServedModel
from serving.predictions.target import Gone
from serving.problems import Problem
from serving.requests.instances import Row
from serving.requests.request_ids import REQUEST_IDS

_TOO_LATE = 408


@dataclass(slots=True)
class _Part:
    """What an arm gave for the rows at some places of a request."""

    arm: ServedArm
    places: list[int]
    predictions: list[Prediction]
    explanations: list[Explanation]
    line: bytes


class Split(Experiment):
    """The policies that draw one arm, with weights that stand or follow from outcomes. Under `shadow` the control has all."""

    def __init__(
        self, released: ReleasedExperiment, release: str, arms: dict[str, ServedModel], metrics: Metrics
    ) -> None:
        """Raises NotRunnableError."""
        super().__init__(released, release, arms, metrics)
        spec = self.spec
        fields = [field.name for field in self.signature.request]
        if unknown := [name for name in spec.unit if name not in fields]:
            raise NotRunnableError(f"the unit {unknown[0]} is no request field of the control")
        self._unit = [fields.index(name) for name in spec.unit]
        self._answer = {name: self._assignment(name, "answer") for name in self._arms}
        self._instead = {
            name: self._assignment(CONTROL, "answer", instead_of=name) for name in self._arms if name != CONTROL
        }
        self._heads = {
            name: head_of(self.name, arm.served.version if arm.served.name == self.name else None, release)
            for name, arm in self._arms.items()
        }

    def _first_weights(self) -> dict[str, float]:
        _, *others = self.spec.arms
        if self.spec.policy == "ab":
            return self.spec.weights
        if self.spec.policy == "shadow":
            return {CONTROL: 1.0} | dict.fromkeys(others, 0.0)
        if self.spec.policy == "canary":
            return {CONTROL: 1 - self.spec.steps[0], others[0]: self.spec.steps[0]}
        return dict.fromkeys(self.spec.arms, 1 / len(self.spec.arms))

    async def answer(self, rows: list[Row], deadline: float, gone: Gone, explain: bool = False) -> Answered:
        """Predictions of the arm that is drawn for each row, with a line of the event log for each arm."""
        request_id = next(REQUEST_IDS)
        draw = self._draw
        units = [self._unit_of(row) for row in rows] if self._unit else None
        if units is None:
            drawn = {draw(bucket(self.fingerprint, request_id)): list(range(len(rows)))}
        else:
            drawn = {}
            for place, unit in enumerate(units):
                drawn.setdefault(draw(bucket(self.fingerprint, unit or request_id)), []).append(place)
        asked = [
            self._ask(request_id, name, draw.weights[name], places, rows, units, deadline, gone, explain)
            for name, places in drawn.items()
        ]
        parts = [await asked[0]] if len(asked) == 1 else await asyncio.gather(*asked)
        return self._answered(request_id, parts, len(rows), explain)

    def _unit_of(self, row: Row) -> str | None:
        """A row's unit as text; None where all its fields are null, which is no unit."""
        values = [row[place] for place in self._unit]
        return None if values.count(None) == len(values) else dump(values).decode()

    async def _ask(
        self,
        request_id: str,
        name: str,
        probability: float,
        places: list[int],
        rows: list[Row],
        units: list[str | None] | None,
        deadline: float,
        gone: Gone,
        explain: bool,
    ) -> _Part:
        """Have an arm answer for the rows at some places, or the control where it fails."""
        arm = self._arms[name]
        is_all = len(places) == len(rows)
        mine = rows if is_all else [rows[place] for place in places]
        assignment = self._answer[name]
        start = time.perf_counter()
        try:
            predictions, explanations, arm = await self._predict(arm, mine, deadline, gone, explain)
        except Problem as problem:
            raise problem if is_all else _in_request(problem, places) from None
        if arm.name != name:
            assignment = self._instead[name]
        seconds = time.perf_counter() - start
        more = b'%s"probability":%.9g,"seconds":%.6f,' % (assignment, probability, seconds)
        if not is_all:
            more += b'"places":%s,' % orjson.dumps(places)
        if units is not None:
            more += b'"units":%s,' % orjson.dumps(units if is_all else [units[place] for place in places])
        rendering = time.perf_counter()
        line = arm.line(request_id, mine, predictions, more)
        arm.served.count(predictions, time.perf_counter() - rendering)
        return _Part(arm, places, predictions, explanations, line)

    async def _predict(
        self, arm: ServedArm, rows: list[Row], deadline: float, gone: Gone, explain: bool
    ) -> tuple[list[Prediction], list[Explanation], ServedArm]:
        """An arm's predictions and their explanations, or the control's where it fails; and whose they are."""

        async def ask(arm: ServedArm) -> tuple[list[Prediction], list[Explanation], ServedArm]:
            return await arm.predict(rows, deadline, gone), await arm.explain(rows) if explain else [], arm

        try:
            return await ask(arm)
        except ClientDisconnect:
            raise
        except Exception as error:
            # What takes too long has no time for another.
            if arm is self._control or (isinstance(error, Problem) and error.status == _TOO_LATE):
                raise
            failure = error
        found = await ask(self._control)
        # Not before: what a client sent wrongly is wrong for the control too, and no failure of the arm.
        arm.fail(failure)
        return found

    def _answered(self, request_id: str, parts: list[_Part], count: int, explain: bool) -> Answered:
        """The parts of a request, in the order of its instances."""
        order = {place: (part, number) for part in parts for number, place in enumerate(part.places)}
        found = [order[place] for place in range(count)]
        alone = parts[0].arm if len(parts) == 1 else None
        version = alone.served.version if alone and alone.served.name == self.name else None
        return Answered(
            self.name,
            version,
            self._release,
            request_id,
            self.signature.classes,
            [part.predictions[number] for part, number in found],
            b"".join([part.line for part in parts]),
            count,
            [part.explanations[number] for part, number in found] if explain else None,
            self.spec.name,
            [part.arm.made_by for part, _ in found],
            head=self._heads[alone.name] if alone else None,
        )


def _in_request(problem: Problem, places: list[int]) -> Problem:
    """A problem with rows at some places of a request, which names the instance as the request has it."""
    if len(problem.location) > 1 and problem.location[0] == "instances":
        where, number, *rest = problem.location
        problem.location = (where, places[int(number)], *rest)
    return problem
