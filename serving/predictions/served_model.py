"""A version of a model in a release, as requests use it: its cache, its queue and its numbers around its predictor."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow as pa
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from ml.errors import ReleaseError
from ml.scoring.request_features import ExpressionError
from serving.metrics.metrics import Metrics
from serving.metrics.refusals import Refusals
from serving.predictions.answered import Answered, head_of
from serving.predictions.batching import SHORT_SECONDS, Batcher
from serving.predictions.bulk import Bulk, Log
from serving.predictions.cache import CacheCounts, PredictionCache, Wait
from serving.predictions.event_lines import EventLines
from serving.predictions.predictor import Explanation, Prediction, Predictor, Stages, no_features
from serving.predictions.target import Gone, Target
from serving.problems import Problem
from serving.requests.instances import Row
from serving.requests.request_ids import REQUEST_IDS
from serving.settings import Settings

_WARM_UP = 3


class _BatchNumbers:
    """What is counted of batches. Apart from the model, so that what a release held is freed when it is replaced."""

    def __init__(self, metrics: Metrics, labels: dict[str, str]) -> None:
        self._rows = metrics.durations("eiderdown_batch_rows", **labels)
        self._waiting = metrics.level("eiderdown_queue_rows", model=labels["model"])
        self._queue, self._look_up, self._features, self._predict = (
            metrics.durations("eiderdown_stage_seconds", stage=stage, **labels)
            for stage in ("queue", "look_up", "features", "predict")
        )

    def __call__(self, rows: int, waiting: int, queued: float, stages: Stages) -> None:
        self._rows.observe(rows)
        self._waiting.set(waiting)
        self._queue.observe(queued)
        self._look_up.observe(stages.looked_up - stages.started)
        self._features.observe(stages.featured - stages.looked_up)
        self._predict.observe(stages.scored - stages.featured)


class ServedModel(Target):
    """Predictions of one version of a model. Used from the event loop's thread alone."""

    def __init__(
        self,
        predictor: Predictor,
        release: str,
        slo_seconds: float,
        settings: Settings,
        metrics: Metrics,
        refusals: Refusals,
        is_apart: bool = False,
    ) -> None:
        """Scores a row a few times, so that what is slow at first is over. Raises ReleaseError where that fails.

        is_apart: whether all is scored in a thread of its own, however short, so that it never holds up others.
        """
        self.released = released = predictor.released
        self.name, self.version, self.signature = released.model, released.version, predictor.signature
        self.predictor = predictor
        self.events = EventLines.of(predictor, release)
        self.slo_seconds = slo_seconds
        self._release = release
        self._head = head_of(self.name, self.version, release)
        labels = {"model": released.model, "version": str(released.version)}
        self._stages = {
            stage: metrics.durations("eiderdown_stage_seconds", stage=stage, **labels)
            for stage in ("parse", "log", "serialise")
        }
        self._statuses = {
            status: metrics.counter("eiderdown_predictions", status=status, **labels) for status in ("ok", "incomplete")
        }
        numbers = _BatchNumbers(metrics, labels)
        self._numbers = numbers
        self._bulk = Bulk(predictor, self.events, self._count_part)
        self._batcher = Batcher(
            *(predictor.predict, slo_seconds, settings.max_instances, numbers, settings.fixed_batch),
            short_seconds=0.0 if is_apart else SHORT_SECONDS,
        )
        self._cache = None
        if settings.cache_rows:
            counts = {
                outcome: metrics.counter("eiderdown_cache", outcome=outcome, **labels)
                for outcome in ("hit", "miss", "joined")
            }
            self._cache = PredictionCache(predictor, settings.cache_rows, CacheCounts(**counts))
        self._refusals = refusals
        self._warm_up()

    def _warm_up(self) -> None:
        for _ in range(_WARM_UP):
            stages = Stages()
            try:
                self.predictor.predict(self.predictor.warm_up(), stages)
            except ExpressionError:
                # A request-time feature need not be defined for a row of nothing.
                return
            except Exception as error:
                raise ReleaseError(
                    f"{self.predictor.released.name}: the release loads, but a prediction fails "
                    f"({type(error).__name__}: {error}). Mend the model and publish again."
                ) from error
        self._batcher.cost.observe(1, stages.scored - stages.started)

    def check(self, instances: Any, most: int, now: dt.datetime) -> list[Row]:
        """A request's instances as typed rows."""
        return self.predictor.check(instances, most, now)

    async def answer(self, rows: list[Row], deadline: float, gone: Gone, explain: bool = False) -> Answered:
        """Predictions for rows, with their line of the event log."""
        predictions = await self.predict(rows, deadline, gone)
        explanations = await self.explain(rows) if explain else None
        request_id = next(REQUEST_IDS)
        scored = time.perf_counter()
        line = self.events.line(request_id, rows, predictions)
        self.count(predictions, time.perf_counter() - scored)
        return Answered(
            self.name,
            self.version,
            self._release,
            request_id,
            self.signature.classes,
            predictions,
            line,
            len(rows),
            explanations,
            head=self._head,
        )

    async def answer_columns(
        self, read: Callable[[], pa.Table], request_id: str, deadline: float, gone: Gone, log: Log
    ) -> list[dict[str, pa.Array]]:
        """Predictions for a table of the model's fields, checked, which `read` makes in the thread that scores.

        Returns the columns of the answer, part by part. log: is given each line of the event log, with the predictions that
        it holds, in that thread. Raises what `read` and `answer` raise.
        """
        wait = partial(_wait, deadline=deadline, gone=gone)
        return await self._bulk.answer(await self._bulk.run(wait, read), request_id, wait, log)

    async def explain(self, rows: list[Row]) -> list[Explanation]:
        """An explanation for each row, in order. Raises Problem 422 for a row that cannot be scored."""
        try:
            return await run_in_threadpool(self.predictor.explain, rows)
        except ExpressionError as error:
            raise no_features(error.row) from None

    async def predict(self, rows: list[Row], deadline: float, gone: Gone) -> list[Prediction]:
        """A prediction for each row, in order. Takes and raises what `answer` does."""
        wait = partial(_wait, deadline=deadline, gone=gone)
        score = partial(self._score, deadline=deadline, wait=wait)
        return await (score(rows) if self._cache is None else self._cache.predict(rows, score, wait))

    def count(self, predictions: list[Prediction], log: float) -> None:
        """Count predictions, and the seconds that rendering their line took."""
        incomplete = sum(bool(prediction.missing) for prediction in predictions)
        if incomplete:
            self._statuses["incomplete"].add(incomplete)
        self._statuses["ok"].add(len(predictions) - incomplete)
        self._stages["log"].observe(log)

    def _count_part(self, predictions: list[Prediction], stages: Stages, log: float) -> None:
        self.count(predictions, log)
        self._numbers(len(predictions), self._batcher.queued_rows, 0.0, stages)

    def observe(self, parse: float, serialise: float) -> None:
        """Count the seconds of the stages of a request that are its protocol's."""
        self._stages["parse"].observe(parse)
        self._stages["serialise"].observe(serialise)

    async def finish(self) -> None:
        """Wait until what is queued is scored."""
        await self._batcher.finish()
        self._bulk.finish()

    async def _score(self, rows: list[Row], deadline: float, wait: Wait) -> list[Prediction]:
        try:
            job = self._batcher.submit(rows, deadline)
        except Problem:
            self._refusals.add("queue")
            raise
        if not self._batcher.is_slow:
            return await job.answer
        try:
            await wait(job.answer)
            return job.answer.result()
        finally:
            job.answer.cancel()


async def _wait(answer: asyncio.Future[Any], deadline: float, gone: Gone) -> None:
    """Return when there is an answer. Raises Problem 408 past the deadline, and ClientDisconnect."""
    watch = asyncio.ensure_future(gone())
    try:
        timeout = max(deadline - time.perf_counter(), 0)
        await asyncio.wait((answer, watch), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return
        if watch.done():
            raise ClientDisconnect
        raise Problem(408, "its time was up before it could be scored; give it longer")
    finally:
        watch.cancel()
