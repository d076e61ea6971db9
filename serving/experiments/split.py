"""Requests that are split: each, or each unit, is answered by one arm."""

import asyncio
import time
from dataclasses import replace
from operator import itemgetter

import orjson
from starlette.requests import ClientDisconnect

from ml.experiments.assignment import Draw, bucket, bucket_of_request
from ml.experiments.declaration import CONTROL
from ml.experiments.released import NotRunnableError, ReleasedExperiment
from serving.experiments.experiment import Experiment, ServedArm, assignment
from serving.metrics.metrics import Metrics
from serving.predictions.answered import Answered, dump, head_of
from serving.predictions.predictor import Explanation, Prediction
from serving.predictions.served_model import ServedModel
from serving.predictions.target import Gone
from serving.problems import Problem
from serving.requests.instances import Row
from serving.requests.request_ids import REQUEST_IDS

_TOO_LATE = 408
_PATIENCE = 2.0
_ROWS = 100
"""Times the objective, and as much again for so many rows: the longest that another arm than the control may take, before the
control answers in its place."""
_NO_UNIT = (None,)


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
        self._patience = _PATIENCE * arms[CONTROL].slo_seconds
        self._answer = {name: assignment(released, name, "answer") for name in self._arms}
        self._instead = {
            name: assignment(released, CONTROL, "answer", instead_of=name) for name in self._arms if name != CONTROL
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
        drawn = [
            draw(bucket(self.fingerprint, unit) if unit else bucket_of_request(request_id))
            for unit in units or _NO_UNIT
        ]
        if drawn.count(drawn[0]) == len(drawn):
            return await self._ask(request_id, draw, drawn[0], rows, units, None, deadline, gone, explain)
        places: dict[str, list[int]] = {}
        for place, name in enumerate(drawn):
            places.setdefault(name, []).append(place)
        asked = []
        for name, its in places.items():
            own, of_own = [rows[place] for place in its], units and [units[place] for place in its]
            asked.append(self._ask(request_id, draw, name, own, of_own, its, deadline, gone, explain))
        return _join(list(places.values()), await asyncio.gather(*asked))

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
    ) -> Answered:
        """Have an arm answer for some rows, or the control where it fails. places: of the rows in the request, if not all."""
        arm, field = self._arms[name], self._answer[name]
        start = time.perf_counter()
        until = deadline if arm is self._control else min(deadline, start + self._patience * (1 + len(rows) / _ROWS))
        try:
            predictions = await arm.predict(rows, until, gone)
            explanations = await arm.explain(rows) if explain else None
        except Exception as error:
            try:
                predictions, explanations = await self._ask_control(arm, error, rows, deadline, gone, explain)
            except Problem as problem:
                raise problem if places is None else _in_request(problem, places) from None
            arm, field = self._control, self._instead[name]
        scored = time.perf_counter()
        more = b'%s"probability":%s,"seconds":%.6f,' % (field, draw.logged[name], scored - start)
        if places is not None:
            more += b'"places":%s,' % orjson.dumps(places)
        if units is not None:
            more += b'"units":%s,' % orjson.dumps(units)
        line = arm.line(request_id, rows, predictions, more)
        arm.served.count(predictions, time.perf_counter() - scored)
        version, head = self._names[arm.name]
        return Answered(
            self.name,
            version,
            self._release,
            request_id,
            self.signature.classes,
            predictions,
            line,
            len(rows),
            explanations,
            self.spec.name,
            [arm.made_by] * len(rows),
            head=head,
        )

    async def _ask_control(
        self, arm: ServedArm, error: Exception, rows: list[Row], deadline: float, gone: Gone, explain: bool
    ) -> tuple[list[Prediction], list[Explanation] | None]:
        """The control's predictions and explanations in the place of an arm's that failed. Raises the error of one that nobody
        can answer for, and what fails for the control too, which is no failure of the arm."""
        # There is no time for another where the client's is up.
        is_late = isinstance(error, Problem) and error.status == _TOO_LATE and time.perf_counter() >= deadline
        if arm is self._control or is_late or isinstance(error, ClientDisconnect):
            raise error
        predictions = await self._control.predict(rows, deadline, gone)
        explanations = await self._control.explain(rows) if explain else None
        arm.fail(error)
        return predictions, explanations


def _join(places: list[list[int]], parts: list[Answered]) -> Answered:
    """The parts of a request as one, in the order of its rows. places: of the rows of each."""
    order = sorted(
        ((place, part, number) for its, part in zip(places, parts, strict=True) for number, place in enumerate(its)),
        key=itemgetter(0),
    )
    is_explained = parts[0].explanations is not None
    return replace(
        parts[0],
        version=None,
        head=None,
        predictions=[part.predictions[number] for _, part, number in order],
        events=b"".join([part.events for part in parts]),
        event_count=len(order),
        explanations=[(part.explanations or [])[number] for _, part, number in order] if is_explained else None,
        made_by=[(part.made_by or [])[number] for _, part, number in order],
    )


def _in_request(problem: Problem, places: list[int]) -> Problem:
    """A problem with rows at some places of a request, which names the instance as the request has it."""
    if len(problem.location) > 1 and problem.location[0] == "instances":
        where, number, *rest = problem.location
        problem.location = (where, places[int(number)], *rest)
    return problem
