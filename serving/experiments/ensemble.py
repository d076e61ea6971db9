"""Answers that several arms make together: the weighted mean of those that are ready by the deadline."""

import asyncio
import operator
import time
from collections.abc import Iterable
from typing import Any

import orjson
from starlette.requests import ClientDisconnect

from ml.experiments.declaration import CONTROL
from ml.experiments.released import ReleasedExperiment
from serving.experiments.experiment import Experiment, assignment
from serving.metrics.metrics import Metrics
from serving.predictions.answered import Answered
from serving.predictions.event_lines import EventLines
from serving.predictions.predictor import Prediction
from serving.predictions.served_model import ServedModel
from serving.predictions.target import Gone
from serving.problems import Problem
from serving.requests.instances import Row
from serving.requests.request_ids import REQUEST_IDS

_RESERVE = 0.1
_LEAST_RESERVE = 0.003
"""Of the deadline, in seconds."""
NO_VERSION = 0
"""What the event log has in the place of an ensemble's version."""


class Ensemble(Experiment):
    """The policies that ask all arms for one answer. Each arm is scored in a thread of its own, so that none holds up the others.

    After the deadline the answer is made of what is ready; where nothing is, of the first that comes (Crankshaw et al., Clipper,
    NSDI 2017, section 5.2.2).
    """

    def __init__(
        self, released: ReleasedExperiment, release: str, arms: dict[str, ServedModel], metrics: Metrics
    ) -> None:
        """arms: of their own, scored apart. Raises NotRunnableError."""
        super().__init__(released, release, arms, metrics)
        # What remains after the arms were waited for: putting the answer together and sending it, and a timer that is late.
        deadline = self.spec.deadline_ms / 1000
        self._seconds = deadline - min(max(_RESERVE * deadline, _LEAST_RESERVE), deadline / 2)
        self._moment = max(self._seconds, self._moment)
        self._member = {name: assignment(released, name, "member") for name in self._arms}
        self._whole = assignment(released, self.name, "ensemble")
        fields = list(arms[CONTROL].predictor.fields.types)
        self._events = EventLines(self.name, NO_VERSION, release, fields, [], self.signature.classes)
        self._late = {
            name: metrics.counter("eiderdown_arm_late", model=arm.served.name, version=str(arm.served.version))
            for name, arm in self._arms.items()
        }

    def _first_weights(self) -> dict[str, float]:
        return self.spec.weights

    async def answer(self, rows: list[Row], deadline: float, gone: Gone, explain: bool = False) -> Answered:
        """One prediction for each row, made of those of the arms; and a line of the event log for each of them."""
        if explain:
            raise Problem(422, "an ensemble's predictions have no explanation; name a version", ("explain",))
        request_id = next(REQUEST_IDS)
        weights = self.weights
        ready, failed = await self._ask(rows, deadline, gone)
        if not ready:
            raise failed[CONTROL]
        shares = _shares(weights, ready)
        predictions = self._combine({name: made for name, (made, _) in ready.items()}, shares)
        lines = []
        for name, (made, seconds) in ready.items():
            arm, start = self._arms[name], time.perf_counter()
            lines.append(arm.line(request_id, rows, made, b'%s"seconds":%.6f,' % (self._member[name], seconds)))
            arm.served.count(made, time.perf_counter() - start)
        absent = [name for name in self._arms if name not in ready]
        more = b'%s"weights":%s,"absent":%s,' % (self._whole, orjson.dumps(shares), orjson.dumps(absent))
        lines.append(self._events.line(request_id, rows, predictions, more))
        return Answered(
            self.name,
            None,
            self._release,
            request_id,
            self.signature.classes,
            predictions,
            b"".join(lines),
            len(rows) * len(lines),
            experiment=self.spec.name,
            absent=absent,
        )

    async def _ask(
        self, rows: list[Row], deadline: float, gone: Gone
    ) -> tuple[dict[str, tuple[list[Prediction], float]], dict[str, BaseException]]:
        """The predictions of the arms that were ready, with the seconds that they took; and why others failed."""
        start = time.perf_counter()
        ready: dict[str, tuple[list[Prediction], float]] = {}
        failed: dict[str, BaseException] = {}
        # The arms wait for one sign that the client has left.
        left = asyncio.ensure_future(gone())

        async def client_left() -> Any:
            return await asyncio.shield(left)

        tasks = {asyncio.ensure_future(arm.predict(rows, deadline, client_left)): arm for arm in self._arms.values()}
        pending = set(tasks)
        try:
            while pending:
                seconds_left = start + self._seconds - time.perf_counter()
                if ready and seconds_left <= 0:
                    break
                done, pending = await asyncio.wait(
                    pending,
                    timeout=seconds_left if seconds_left > 0 else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    arm = tasks[task]
                    error = task.exception()
                    if error is None:
                        ready[arm.name] = task.result(), time.perf_counter() - start
                        continue
                    failed[arm.name] = error
                    if not isinstance(error, Problem | ClientDisconnect):
                        arm.fail(error)
        finally:
            for task in pending:
                self._late[tasks[task].name].add()
                task.cancel()
            left.cancel()
        return {name: ready[name] for name in self._arms if name in ready}, failed

    def _combine(self, made: dict[str, list[Prediction]], shares: dict[str, float]) -> list[Prediction]:
        """The weighted mean of scores; a binary label is by the weighted mean of the thresholds."""
        thresholds = [self._arms[name].served.signature.threshold for name in made]
        threshold = None
        if None not in thresholds:
            threshold = sum(map(operator.mul, shares.values(), thresholds))  # type: ignore[arg-type]
        return [
            self._mean(predictions, list(shares.values()), threshold)
            for predictions in zip(*made.values(), strict=True)
        ]

    def _mean(self, predictions: tuple[Prediction, ...], shares: list[float], threshold: float | None) -> Prediction:
        scores = [prediction.score for prediction in predictions]
        label: Any = None
        score: Any
        if self.signature.classes:
            score = [sum(map(operator.mul, shares, of_class)) for of_class in zip(*scores, strict=True)]  # type: ignore[arg-type]
            label = self.signature.classes[score.index(max(score))]
        else:
            score = sum(map(operator.mul, shares, scores))  # type: ignore[arg-type]
            if threshold is not None:
                label = score >= threshold
        missing = sorted({view for prediction in predictions for view in prediction.missing})
        return Prediction(score, label, missing, [], 0.0)


def _shares(weights: dict[str, float], ready: Iterable[str]) -> dict[str, float]:
    """The weights of those that are ready, made to add up to 1; equal ones where they have none."""
    own = {name: weights[name] for name in ready}
    total = sum(own.values())
    return {name: weight / total if total else 1 / len(own) for name, weight in own.items()}
