"""Requests that are split: each, or each unit, is answered by one arm."""

import asyncio
import time
from dataclasses import dataclass
from operator import itemgetter

import orjson
from starlette.requests import ClientDisconnect

from ml.experiments.assignment import Draw, bucket
from ml.experiments.declaration import CONTROL
from ml.experiments.released import NotRunnableError, ReleasedExperiment
from serving.experiments.experiment import Experiment, ServedArm
from serving.metrics.metrics import Metrics
from serving.predictions.answered import Answered, MadeBy, dump, head_of
from serving.predictions.predictor import Explanation, Prediction
from serving.predictions.served_model import ServedModel
from serving.predictions.target import Gone
from serving.problems import Problem
from serving.requests.instances import Row
from serving.requests.request_ids import REQUEST_IDS

_TOO_LATE = 408
_NO_UNIT = (None,)


@dataclass(slots=True)
class _Part:
    """What rows of a request got, in their order, with the lines of the event log. arm: that scored all of them, if one did."""

    arm: ServedArm | None
    predictions: list[Prediction]
    explanations: list[Explanation]
    made_by: list[MadeBy]
    lines: bytes


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
        versions = {
            name: arm.served.version if arm.served.name == self.name else None for name, arm in self._arms.items()
        }
        self._names = {name: (version, head_of(self.name, version, release)) for name, version in versions.items()}

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
        request_id, draw = next(REQUEST_IDS), self._draw
        units = [self._unit_of(row) for row in rows] if self._unit else None
        # Without units the request is one.
        drawn = [draw(bucket(self.fingerprint, unit or request_id)) for unit in units or _NO_UNIT]
        if drawn.count(drawn[0]) == len(drawn):
            part = await self._ask(request_id, draw, drawn[0], rows, units, None, deadline, gone, explain)
            return self._answered(request_id, part)
        places: dict[str, list[int]] = {}
        for place, name in enumerate(drawn):
            places.setdefault(name, []).append(place)
        asked = []
        for name, its in places.items():
            own, of_own = [rows[place] for place in its], units and [units[place] for place in its]
            asked.append(self._ask(request_id, draw, name, own, of_own, its, deadline, gone, explain))
        return self._answered(request_id, _join(list(places.values()), await asyncio.gather(*asked)))

    def _unit_of(self, row: Row) -> str | None:
        """A row's unit as text; None where all its fields are null, which is no unit."""
        values = [row[place] for place in self._unit]
        return None if values.count(None) == len(values) else dump(values).decode()

    async def _ask(
        self,
        request_id: str,
        draw: Draw,
        name: str,
        rows: list[Row],
        units: list[str | None] | None,
        places: list[int] | None,
        deadline: float,
        gone: Gone,
        explain: bool,
    ) -> _Part:
        """Have an arm answer for some rows, or the control where it fails. places: of the rows in the request, if not all."""
        arm, assignment = self._arms[name], self._answer[name]
        start = time.perf_counter()
        try:
            predictions, explanations, arm = await self._predict(arm, rows, deadline, gone, explain)
        except Problem as problem:
            raise problem if places is None else _in_request(problem, places) from None
        if arm.name != name:
            assignment = self._instead[name]
        seconds = time.perf_counter() - start
        more = b'%s"probability":%.9g,"seconds":%.6f,' % (assignment, draw.weights[name], seconds)
        if places is not None:
            more += b'"places":%s,' % orjson.dumps(places)
        if units is not None:
            more += b'"units":%s,' % orjson.dumps(units)
        rendering = time.perf_counter()
        line = arm.line(request_id, rows, predictions, more)
        arm.served.count(predictions, time.perf_counter() - rendering)
        return _Part(arm, predictions, explanations, [arm.made_by] * len(rows), line)

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

    def _answered(self, request_id: str, part: _Part) -> Answered:
        version, head = self._names[part.arm.name] if part.arm else (None, None)
        return Answered(
            self.name,
            version,
            self._release,
            request_id,
            self.signature.classes,
            part.predictions,
            part.lines,
            len(part.predictions),
            part.explanations or None,
            self.spec.name,
            part.made_by,
            head=head,
        )


def _join(places: list[list[int]], parts: list[_Part]) -> _Part:
    """The parts of a request as one, in the order of its rows. places: of the rows of each."""
    joined = _Part(None, [], [], [], b"".join([part.lines for part in parts]))
    for _, part, number in sorted(
        ((place, part, number) for its, part in zip(places, parts, strict=True) for number, place in enumerate(its)),
        key=itemgetter(0),
    ):
        joined.predictions.append(part.predictions[number])
        joined.made_by.append(part.made_by[number])
        if part.explanations:
            joined.explanations.append(part.explanations[number])
    return joined


def _in_request(problem: Problem, places: list[int]) -> Problem:
    """A problem with rows at some places of a request, which names the instance as the request has it."""
    if len(problem.location) > 1 and problem.location[0] == "instances":
        where, number, *rest = problem.location
        problem.location = (where, places[int(number)], *rest)
    return problem
