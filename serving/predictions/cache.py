"""Predictions that were made already, for rows that are asked for again: the least recently used go first."""

import asyncio
import datetime as dt
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from ml.expressions.column import microseconds
from serving.metrics.metrics import Count
from serving.predictions.predictor import Prediction, Predictor
from serving.problems import Problem
from serving.requests.instances import Row

LONGEST_TEXT = 256
"""A row with a longer text is not kept, so that so many rows are so much memory."""

MOST_ROWS = 16
"""A request with more rows passes the cache by: it would drive out what is asked for again."""

Score = Callable[[list[Row]], Awaitable[list[Prediction]]]
Wait = Callable[[asyncio.Future[Any]], Awaitable[None]]
_Key = tuple[Any, ...]


@dataclass(slots=True)
class _Entry:
    prediction: Prediction
    made_at: dt.datetime
    changes: int


class _Flight:
    """Rows that a request is having scored; others may wait for them."""

    __slots__ = ("_landed",)

    def __init__(self) -> None:
        self._landed: asyncio.Future[None] | Literal["landed"] | None = None

    def land(self) -> None:
        """Say that they are scored, or failed."""
        if isinstance(self._landed, asyncio.Future):
            self._landed.set_result(None)
        self._landed = "landed"

    async def wait(self, wait: Wait) -> None:
        """Until they are."""
        if self._landed is None:
            self._landed = asyncio.get_running_loop().create_future()
        if isinstance(self._landed, asyncio.Future):
            await wait(self._landed)


@dataclass(frozen=True)
class CacheCounts:
    """How often a row was in the cache, was scored, and waited for the same row of another request."""

    hit: Count
    miss: Count
    joined: Count


class PredictionCache:
    """The predictions of one version of a model in one release: another release has a cache of its own.

    A prediction depends on the entity keys, the request's fields and the prediction time; where no feature reads the time,
    it is the same until a stored feature expires or a row is pushed. Used from the event loop's thread alone.
    """

    def __init__(self, predictor: Predictor, most_rows: int, counts: CacheCounts) -> None:
        self._predictor = predictor
        self._most_rows = most_rows
        self._counts = counts
        self._is_timeless = not predictor.reads_time
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._in_flight: dict[_Key, _Flight] = {}
        types = predictor.fields.types.values()
        self._reals = [place for place, name in enumerate(types) if name.upper() in ("DOUBLE", "FLOAT")]

    def __len__(self) -> int:
        return len(self._entries)

    async def predict(self, rows: list[Row], score: Score, wait: Wait = asyncio.shield) -> list[Prediction]:
        """A prediction for each row, in order: one that is kept, that of another request in flight, or by `score`.

        wait: how long the other request is waited for; it must not be cancelled by that.
        """
        if len(rows) > MOST_ROWS:
            return await score(rows)
        changes = self._predictor.changes()
        keys = [self._key(row, changes) for row in rows]
        found: list[Prediction | None] = []
        own: list[int] = []
        joined: dict[int, _Flight] = {}
        mine = _Flight()
        for place, (row, key) in enumerate(zip(rows, keys, strict=True)):
            prediction = self._get(key, row, changes)
            found.append(prediction)
            if prediction is not None:
                continue
            if key in self._in_flight:
                joined[place] = self._in_flight[key]
            else:
                own.append(place)
                self._in_flight[key] = mine
        self._counts.hit.add(len(rows) - len(own) - len(joined))
        if own:
            self._counts.miss.add(len(own))
            try:
                for place, prediction in zip(own, await _score_some(rows, own, score), strict=True):
                    found[place] = prediction
                    self._put(keys[place], rows[place], changes, prediction)
            finally:
                for place in own:
                    del self._in_flight[keys[place]]
                mine.land()
        for place, other in joined.items():
            self._counts.joined.add()
            await other.wait(wait)
            # The other request may have failed for a reason of its own.
            prediction = self._get(keys[place], rows[place], changes)
            found[place] = prediction or (await _score_some(rows, [place], score))[0]
        return [prediction for prediction in found if prediction is not None]

    def _key(self, row: Row, changes: int) -> _Key:
        """What a row is found by. A row that was pushed is known from a time on, so then the time counts always."""
        # The prediction time is the last field.
        key = tuple(row[:-1]) if self._is_timeless and not changes else tuple(row)
        if self._reals:
            # A zero equals one with a minus, and may have another feature.
            key += tuple(math.copysign(1, row[place]) for place in self._reals if row[place] == 0)
        return key

    def _get(self, key: _Key, row: Row, changes: int) -> Prediction | None:
        entry = self._entries.get(key)
        if entry is None or entry.changes != changes:
            return None
        if entry.made_at > row[-1] or microseconds(row[-1]) > entry.prediction.valid_until:
            return None
        self._entries.move_to_end(key)
        return entry.prediction

    def _put(self, key: _Key, row: Row, changes: int, prediction: Prediction) -> None:
        for value in key:
            if type(value) is str and len(value) > LONGEST_TEXT:
                return
        self._entries[key] = _Entry(prediction, row[-1], changes)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most_rows:
            self._entries.popitem(last=False)


async def _score_some(rows: list[Row], places: list[int], score: Score) -> list[Prediction]:
    """Score the rows at some places. A problem names the instance as the request has it."""
    try:
        return await score([rows[place] for place in places])
    except Problem as problem:
        if problem.location:
            where, number, *rest = problem.location
            problem.location = (where, places[int(number)], *rest)
        raise
