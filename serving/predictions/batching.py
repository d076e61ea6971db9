"""Requests for one model, put together while others are being scored.

There is no timer: rows that arrive while nothing is scored are scored with the next turn of the event loop, with all that
arrived in the same turn, and rows that arrive while a batch is scored make the next batch. What is bounded is the size of
a batch: the rows whose scoring takes half of the objective, since a request waits at most for one batch before its own
(Crankshaw et al., Clipper, NSDI 2017, find the size by trial; here a line through what batches took foresees it).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ml.scoring.request_features import ExpressionError
from serving.predictions.cost_model import CostModel
from serving.predictions.daemon_executor import DaemonExecutor
from serving.predictions.predictor import Prediction, Stages, no_features
from serving.problems import Problem, overloaded
from serving.requests.instances import Row

SHORT_SECONDS = 0.002
"""A batch that takes less is scored on the event loop: handing it to a thread would cost more than it blocks."""

_FIRST_ROWS = 16.0
"""Twice as many are put together before anything is known of what that takes."""
_FADING = 0.95
"""What is left of the largest batch's rows after each batch that is smaller."""

Predict = Callable[[list[Row], Stages], list[Prediction]]
Observe = Callable[[int, int, float, Stages], None]


@dataclass(slots=True)
class Job:
    """The rows of a request, and where their predictions go. deadline: in seconds of `time.perf_counter`."""

    rows: list[Row]
    deadline: float
    submitted: float
    answer: asyncio.Future[list[Prediction]]


class Batcher:
    """Scores jobs in batches. All methods are called from the event loop's thread."""

    def __init__(
        self,
        predict: Predict,
        slo_seconds: float,
        most_rows: int,
        observe: Observe,
        fixed_rows: int = 0,
        short_seconds: float = SHORT_SECONDS,
    ) -> None:
        """slo_seconds: the objective for the time from submission to prediction; most_rows: of any batch; observe: is told
        of each batch its rows, the rows that wait, the longest wait in seconds and its stages; fixed_rows: in place of a
        size that adapts; short_seconds: a batch that takes less is scored on the event loop."""
        self.cost = CostModel()
        self.queued_rows = 0
        self._predict = predict
        self._slo = slo_seconds
        self._most_rows = most_rows
        self._fixed_rows = fixed_rows
        self._observe = observe
        self._short = short_seconds
        self._queue: deque[Job] = deque()
        self._largest = _FIRST_ROWS
        self._is_due = False
        self._ends_at = 0.0
        self._running: asyncio.Future[None] | None = None
        self._thread: DaemonExecutor | None = None

    def submit(self, rows: list[Row], deadline: float) -> Job:
        """Queue rows. Raises Problem 503 where others wait already and the rows could not be scored within the objective."""
        now = time.perf_counter()
        if self._queue and self._seconds_until_scored(len(rows), now) > self._slo:
            raise overloaded("the model has more requests than it can answer in time")
        loop = asyncio.get_running_loop()
        job = Job(rows, deadline, now, loop.create_future())
        self._queue.append(job)
        self.queued_rows += len(rows)
        self._wake(loop)
        return job

    @property
    def is_busy(self) -> bool:
        """Whether a batch is being scored in a thread, so that what is queued waits for it."""
        return self._running is not None

    @property
    def is_slow(self) -> bool:
        """Whether what is queued is scored in a thread, or waits for what is: its client may leave, or its time be up."""
        return self.is_busy or self.cost.seconds(self.queued_rows) >= self._short

    @property
    def most_rows(self) -> int:
        """The most rows of a batch now, unless one request alone has more."""
        if self._fixed_rows:
            return self._fixed_rows
        # What batches of such a size take is known up to twice the largest of late; a line says little farther out.
        return max(1, int(min(self.cost.rows_within(self._slo / 2), 2 * self._largest, self._most_rows)))

    async def finish(self) -> None:
        """Wait until all that is queued is scored."""
        while self._queue or self._running:
            await asyncio.sleep(0.01)
        if self._thread:
            self._thread.shutdown()

    def _seconds_until_scored(self, rows: int, now: float) -> float:
        waiting = max(self._ends_at - now, 0.0) if self._running else 0.0
        ahead = self.queued_rows + rows
        return waiting + self.cost.seconds(ahead) + self.cost.fixed * (ahead // self.most_rows)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_due and not self._running and self._queue:
            self._is_due = True
            loop.call_soon(self._start)

    def _start(self) -> None:
        """Score the next batch, here if that is short, otherwise in a thread."""
        self._is_due = False
        jobs = self._next_jobs()
        if not jobs:
            return
        loop = asyncio.get_running_loop()
        rows = sum(len(job.rows) for job in jobs)
        foreseen = self.cost.seconds(rows)
        if foreseen < self._short:
            self._score(jobs, self._settle)
            self._wake(loop)
            return
        self._ends_at = time.perf_counter() + foreseen
        self._thread = self._thread or DaemonExecutor("batches")
        self._running = loop.run_in_executor(
            self._thread, self._score, jobs, lambda *settled: loop.call_soon_threadsafe(self._settle, *settled)
        )
        self._running.add_done_callback(self._end)

    def _end(self, running: asyncio.Future[None]) -> None:
        self._running = None
        self._wake(asyncio.get_running_loop())

    def _next_jobs(self) -> list[Job]:
        """The jobs of the next batch: those whose clients have left, or whose time is up, are taken out of the queue."""
        jobs: list[Job] = []
        rows, most, now = 0, self.most_rows, time.perf_counter()
        while self._queue and (not jobs or rows + len(self._queue[0].rows) <= most):
            job = self._queue.popleft()
            self.queued_rows -= len(job.rows)
            if job.answer.done():
                continue
            if job.deadline < now:
                job.answer.set_exception(Problem(408, "its time was up before it could be scored; give it longer"))
                continue
            jobs.append(job)
            rows += len(job.rows)
        return jobs

    def _score(self, jobs: list[Job], settle: Callable[..., object]) -> None:
        """Score jobs together. A row that cannot be scored takes its own job out, and no other."""
        while jobs:
            stages = Stages()
            rows = jobs[0].rows if len(jobs) == 1 else [row for job in jobs for row in job.rows]
            try:
                predictions = self._predict(rows, stages)
            except ExpressionError as error:
                bad, place = _job_of(jobs, error.row)
                settle([bad], no_features(place), None)
                jobs = [job for job in jobs if job is not bad]
            except Exception as error:
                settle(jobs, error, None)
                return
            else:
                settle(jobs, predictions, stages)
                return

    def _settle(self, jobs: list[Job], outcome: list[Prediction] | Exception, stages: Stages | None) -> None:
        """Give each job its own part of a batch's outcome."""
        if isinstance(outcome, Exception):
            for job in jobs:
                if not job.answer.done():
                    job.answer.set_exception(outcome)
            return
        start = 0
        for job in jobs:
            end = start + len(job.rows)
            if not job.answer.done():
                job.answer.set_result(outcome[start:end])
            start = end
        if stages:
            self.cost.observe(start, stages.scored - stages.started)
            self._largest = max(self._largest * _FADING, start, _FIRST_ROWS)
            self._observe(start, self.queued_rows, stages.started - jobs[0].submitted, stages)


def _job_of(jobs: list[Job], row: int) -> tuple[Job, int]:
    """The job that a batch's row belongs to, and the row's place in it."""
    for job in jobs:
        if row < len(job.rows):
            return job, row
        row -= len(job.rows)
    raise IndexError(row)
