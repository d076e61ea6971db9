"""Batches: each job gets its own predictions, whoever it is scored with, and nobody waits without need."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.scoring.request_features import ExpressionError
from serving.predictions.batching import SHORT_SECONDS, Batcher, Job
from serving.predictions.cost_model import CostModel
from serving.predictions.predictor import Prediction, Stages
from serving.problems import Problem
from serving.requests.instances import Row

LATER = 1e12


class Doubling:
    """Scores a row by doubling it; a negative one has no features. `waits`: a batch is held until the event is set."""

    def __init__(self, waits: threading.Event | None = None) -> None:
        self.batches: list[int] = []
        self._waits = waits

    def __call__(self, rows: list[Row], stages: Stages) -> list[Prediction]:
        stages.started = time.perf_counter()
        if self._waits:
            assert self._waits.wait(60)
        for place, row in enumerate(rows):
            if row[0] < 0:
                raise ExpressionError(place)
        self.batches.append(len(rows))
        stages.scored = stages.started + 1e-4
        return [Prediction(2.0 * row[0], None, [], (), 0.0) for row in rows]


def _batcher(predict: Any, slo_seconds: float = 1.0, fixed_rows: int = 0) -> Batcher:
    return Batcher(predict, slo_seconds, 1000, lambda rows, waiting, queued, stages: None, fixed_rows)


async def _scoring_in_a_thread(predict: Doubling) -> tuple[Batcher, Job]:
    """A batcher whose thread scores a first job, which is given too."""
    batcher = _batcher(predict, slo_seconds=1000)
    batcher.cost.observe(1, 2 * SHORT_SECONDS)
    first = batcher.submit([[1]], LATER)
    while not batcher.is_busy:
        await asyncio.sleep(0)
    return batcher, first


async def _outcome(job: Job) -> list[float] | tuple[int, tuple[Any, ...]]:
    try:
        return [float(one.score) for one in await job.answer]  # type: ignore[arg-type]
    except Problem as problem:
        return problem.status, problem.location


def _run(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(body(), 120))


@settings(max_examples=50, deadline=None)
@given(
    requests=st.lists(st.lists(st.integers(-2, 50), min_size=1, max_size=4), min_size=1, max_size=12),
    fixed_rows=st.integers(0, 5),
)
def test_each_job_gets_its_own_and_a_bad_row_fails_alone(requests: list[list[int]], fixed_rows: int) -> None:
    async def body() -> None:
        batcher = _batcher(Doubling(), fixed_rows=fixed_rows)
        jobs = [batcher.submit([[value] for value in request], LATER) for request in requests]
        for job, request in zip(jobs, requests, strict=True):
            bad = next((place for place, value in enumerate(request) if value < 0), None)
            expected = [2.0 * value for value in request] if bad is None else (422, ("instances", bad))
            assert await _outcome(job) == expected
        assert batcher.queued_rows == 0

    _run(body)


def test_what_comes_in_one_turn_is_one_batch_and_a_lone_job_is_one_too() -> None:
    async def body() -> None:
        predict = Doubling()
        batcher = _batcher(predict)
        await batcher.submit([[1]], LATER).answer
        jobs = [batcher.submit([[value]], LATER) for value in range(20)]
        await asyncio.gather(*(job.answer for job in jobs))
        assert predict.batches == [1, 20]

    _run(body)


def test_what_arrives_while_a_thread_scores_is_the_next_batch() -> None:
    async def body() -> None:
        gate = threading.Event()
        predict = Doubling(gate)
        batcher, first = await _scoring_in_a_thread(predict)
        others = [batcher.submit([[value]], LATER) for value in range(5)]
        gate.set()
        await asyncio.gather(first.answer, *(job.answer for job in others))
        assert predict.batches == [1, 5]
        await batcher.finish()

    _run(body)


def test_who_has_left_and_whose_time_is_up_are_not_scored() -> None:
    async def body() -> None:
        gate = threading.Event()
        predict = Doubling(gate)
        batcher, first = await _scoring_in_a_thread(predict)
        late = batcher.submit([[2]], time.perf_counter())
        left = batcher.submit([[3]], LATER)
        stays = batcher.submit([[4]], LATER)
        left.answer.cancel()
        gate.set()
        assert await _outcome(stays) == [8.0]
        assert await _outcome(late) == (408, ())
        assert await _outcome(first) == [2.0]
        assert predict.batches == [1, 1]
        await batcher.finish()

    _run(body)


def test_past_the_objective_a_job_is_refused_at_once() -> None:
    async def body() -> None:
        gate = threading.Event()
        batcher = _batcher(Doubling(gate), slo_seconds=0.05)
        for rows in (1, 2):
            batcher.cost.observe(rows, 0.02 * rows)
        accepted = []
        with pytest.raises(Problem) as refused:
            for _ in range(100):
                accepted.append(batcher.submit([[1]], LATER))
        assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "1"})
        # 50 ms at 20 ms a row: one that waits is always let in, and those that are scored in time.
        assert 1 <= len(accepted) <= 3
        gate.set()
        for job in accepted:
            assert await _outcome(job) == [2.0]
        # With room again, at once.
        assert await _outcome(batcher.submit([[5]], LATER)) == [10.0]
        await batcher.finish()

    _run(body)


def test_a_failure_reaches_those_who_asked_and_the_next_are_scored() -> None:
    async def body() -> None:
        def predict(rows: list[Row], stages: Stages) -> list[Prediction]:
            if rows[0][0] == 0:
                raise ZeroDivisionError
            return Doubling()(rows, stages)

        batcher = _batcher(predict)
        with pytest.raises(ZeroDivisionError):
            await batcher.submit([[0]], LATER).answer
        assert await _outcome(batcher.submit([[1]], LATER)) == [2.0]

    _run(body)


@given(
    fixed=st.floats(0, 0.01),
    each=st.floats(1e-6, 0.01),
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=6, unique=True),
)
def test_the_cost_of_what_lies_on_a_line_is_found(fixed: float, each: float, sizes: list[int]) -> None:
    cost = CostModel()
    for rows in sizes * 100:
        cost.observe(rows, fixed + each * rows)
    for rows in sizes:
        assert cost.seconds(rows) == pytest.approx(fixed + each * rows, rel=0.02)


def test_the_cost_follows_a_machine_that_becomes_slower() -> None:
    cost = CostModel()
    for rows in [1, 8, 32, 64] * 20:
        cost.observe(rows, 0.001 + 0.0001 * rows)
    for rows in [1, 8, 32, 64] * 20:
        cost.observe(rows, 0.003 + 0.0003 * rows)
    assert cost.seconds(64) == pytest.approx(0.003 + 0.0003 * 64, rel=0.1)
    assert cost.rows_within(0.025) == pytest.approx(73, rel=0.1)
