"""What the cache answers is what would be predicted now, for any history of requests and pushes; it stays within its bound."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.expressions.column import microseconds
from serving.metrics.metrics import Count
from serving.predictions.cache import LONGEST_TEXT, CacheCounts, PredictionCache
from serving.predictions.predictor import Prediction
from serving.problems import Problem
from serving.requests.instances import Fields, Row

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
TTL = 50


class World:
    """A model over one view: entity k has a row of second 10 * k, which is current for TTL seconds; rows may be pushed."""

    def __init__(self, reads_time: bool) -> None:
        self.reads_time = reads_time
        self.fields = Fields({"key": "INTEGER", "real": "DOUBLE", "at": "TIMESTAMP WITH TIME ZONE"}, set())
        self.pushed: dict[int, list[int]] = {}
        self.pushes = 0
        self.scored = 0

    def changes(self) -> int:
        return self.pushes

    def push(self, key: int, second: int) -> None:
        self.pushed.setdefault(key, []).append(second)
        self.pushes += 1

    def predict(self, row: Row) -> Prediction:
        """A score that tells everything that it was made of."""
        key, real, at = row
        second = (at - START).total_seconds()
        events = [10 * key, *(event for event in self.pushed.get(key, []) if event <= second)]
        event = max(events)
        is_current = second - event <= TTL
        until = microseconds(START + dt.timedelta(seconds=event + TTL)) if is_current else float("inf")
        seen = (key, str(real), event if is_current else None, second if self.reads_time else None)
        return Prediction(hash(seen), None, [], seen, until)

    async def score(self, rows: list[Row]) -> list[Prediction]:
        self.scored += len(rows)
        await asyncio.sleep(0)
        return [self.predict(row) for row in rows]


def _row(key: int, real: float, second: int) -> Row:
    return [key, real, START + dt.timedelta(seconds=second)]


ROWS = st.builds(_row, st.integers(0, 4), st.sampled_from([0.0, -0.0, 1.5]), st.integers(0, 120))
STEPS = st.lists(
    st.lists(ROWS, min_size=1, max_size=4) | st.tuples(st.integers(0, 4), st.integers(0, 120)), max_size=30
)


def _cache(world: World, most_rows: int) -> tuple[PredictionCache, CacheCounts]:
    counts = CacheCounts(Count(), Count(), Count())
    return PredictionCache(world, most_rows, counts), counts  # type: ignore[arg-type]


@settings(deadline=None)
@given(steps=STEPS, reads_time=st.booleans(), most_rows=st.integers(1, 6))
def test_answers_are_those_of_now(steps: list[Any], reads_time: bool, most_rows: int) -> None:
    async def body() -> None:
        world = World(reads_time)
        cache, counts = _cache(world, most_rows)
        asked = 0
        for step in steps:
            if isinstance(step, tuple):
                world.push(*step)
                continue
            asked += len(step)
            found = await cache.predict(step, world.score)
            assert [one.features for one in found] == [world.predict(row).features for row in step]
            assert len(cache) <= most_rows
        assert counts.hit.value + counts.miss.value + counts.joined.value == asked

    asyncio.run(body())


def test_requests_for_the_same_are_joined() -> None:
    async def body() -> None:
        world = World(reads_time=False)
        cache, counts = _cache(world, 10)
        row = _row(1, 1.5, 20)
        found = await asyncio.gather(*(cache.predict([row, row], world.score) for _ in range(5)))
        assert len({one.features for some in found for one in some}) == 1
        assert world.scored == 1
        assert (counts.miss.value, counts.joined.value) == (1, 9)
        await cache.predict([row], world.score)
        assert (world.scored, counts.hit.value) == (1, 1)

    asyncio.run(body())


def test_what_fails_for_one_is_tried_again_for_those_who_joined() -> None:
    async def body() -> None:
        world = World(reads_time=False)
        cache, _ = _cache(world, 10)
        row = _row(1, 1.5, 20)

        async def fail(rows: list[Row]) -> list[Prediction]:
            await asyncio.sleep(0)
            raise Problem(408, "late")

        first = asyncio.ensure_future(cache.predict([row], fail))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(cache.predict([row], world.score))
        with pytest.raises(Problem):
            await first
        assert (await second)[0].features == world.predict(row).features
        assert world.scored == 1

    asyncio.run(body())


def test_the_least_recently_used_goes_first() -> None:
    async def body() -> None:
        world = World(reads_time=False)
        cache, _ = _cache(world, 2)
        one, two, three = (_row(key, 1.5, 20) for key in (1, 2, 3))
        for row in (one, two, one, three):
            await cache.predict([row], world.score)
        assert world.scored == 3
        await cache.predict([one], world.score)
        assert world.scored == 3
        await cache.predict([two], world.score)
        assert world.scored == 4

    asyncio.run(body())


def test_long_texts_are_not_kept() -> None:
    async def body() -> None:
        world = World(reads_time=False)
        world.fields = Fields({"key": "VARCHAR", "real": "DOUBLE", "at": "TIMESTAMP WITH TIME ZONE"}, set())
        cache, _ = _cache(world, 10)

        async def score(rows: list[Row]) -> list[Prediction]:
            return [Prediction(1.0, None, [], (), float("inf")) for _ in rows]

        await cache.predict([["x" * LONGEST_TEXT, 1.5, START]], score)
        await cache.predict([["x" * (LONGEST_TEXT + 1), 1.5, START]], score)
        assert len(cache) == 1

    asyncio.run(body())


def test_a_problem_names_the_instance_of_the_request() -> None:
    """What is in the cache, or asked for twice, is not scored with the others."""

    async def body() -> None:
        world = World(reads_time=False)
        cache, _ = _cache(world, 10)
        good, bad = _row(1, 1.5, 20), _row(2, 1.5, 20)
        await cache.predict([good], world.score)

        async def score(rows: list[Row]) -> list[Prediction]:
            raise Problem(422, "wrong", ("instances", rows.index(bad)))

        with pytest.raises(Problem) as caught:
            await cache.predict([good, _row(3, 1.5, 20), good, bad], score)
        assert caught.value.location == ("instances", 3)

    asyncio.run(body())
