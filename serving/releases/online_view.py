"""A version of a feature view as the server holds it: the release's rows by entity key, and rows pushed since."""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.expressions.column import Column, from_values, microseconds
from ml.field_types import sql_type
from ml.release.feature_file import FeatureFile
from ml.release.gather import EXACT, Gather
from ml.release.manifest import ReleasedView
from serving.pushes.push_contract import CheckedRow, PushContract
from serving.pushes.pushed_rows import Key, Moments, PushedRow, PushedRows
from serving.releases.loaded import LoadedParts
from serving.requests.instances import Fields, Row

# DuckDB's times reach farther than Python's; what lies outside has no age that a ttl could be compared with.
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST, _LAST = microseconds(dt.datetime.min), microseconds(dt.datetime.max)


@dataclass(slots=True)
class Found:
    """What there is for some entities at their times, an entry for each.

    places: their rows in the release's file, -1 where there is none; statuses: 'present', 'not_found' or 'expired'; pushed:
    the rows that were pushed, by the entity's number, where they are newer than the release's; valid_until: in microseconds
    since 1970, up to when what is present does not expire.
    """

    places: npt.NDArray[np.int64]
    statuses: list[str]
    pushed: dict[int, PushedRow]
    valid_until: list[float]

    @property
    def is_incomplete(self) -> bool:
        """Whether an entity has nothing current."""
        return self.statuses.count("present") < len(self.statuses)

    def take(self, numbers: npt.NDArray[np.int64]) -> "Found":
        """What was found for some of the entities, in the given order; one may come more than once."""
        wanted = numbers.tolist()
        return Found(
            self.places[numbers],
            [self.statuses[number] for number in wanted],
            {place: self.pushed[number] for place, number in enumerate(wanted) if number in self.pushed}
            if self.pushed
            else {},
            [self.valid_until[number] for number in wanted],
        )


class OnlineView:
    """A version of a feature view: its rows by entity key."""

    def __init__(self, view: ReleasedView, path: Path, parts: LoadedParts) -> None:
        """Map the view's file, unless it is among the parts. Raises ReleaseError where it is none."""
        self.released = view
        self.file = parts.part(view.sha256, path, lambda file: FeatureFile(file, view.entity), *view.entity)
        self.contract = PushContract(view, self.file.table.schema)
        self.pushed = PushedRows()
        self.keys = Fields(
            {name: sql_type(self.file.columns[name].type) for name in view.entity}, required=set(view.entity)
        )
        self._event_at = self.file.columns[view.event_at].values
        self._known_at = self.file.columns[view.known_at].values
        self._feature_places = {name: place for place, name in enumerate(view.columns)}
        self._ttl = None if view.ttl_seconds is None else round(view.ttl_seconds * 1_000_000)

    def find(self, keys: list[tuple[Any, ...]], moments: Sequence[dt.datetime], times: Sequence[int]) -> Found:
        """What is known of entities, each at its time. times: the moments again, in microseconds since 1970."""
        places = self.file.find(keys)
        pushed: dict[int, PushedRow] = {}
        statuses = []
        valid_until = [math.inf] * len(keys)
        event_at_of, ttl = self._event_at.item, self._ttl
        for number, (place, time) in enumerate(zip(places.tolist(), times, strict=True)):
            event_at = event_at_of(place) if place >= 0 else None
            # What the release's own row beats was not taken, so what is there is newer.
            if self.pushed and (row := self.pushed.newest(keys[number], moments[number])):
                pushed[number] = row
                event_at = microseconds(row.event_at)
            if event_at is None:
                statuses.append("not_found")
            elif ttl is None:
                statuses.append("present")
            elif time - event_at <= ttl and _FIRST <= event_at <= _LAST:
                statuses.append("present")
                valid_until[number] = event_at + ttl
            else:
                statuses.append("expired")
        return Found(places, statuses, pushed, valid_until)

    def find_at(self, keys: list[Row], now: dt.datetime) -> Found:
        """What is known of entities, all at one time."""
        return self.find([tuple(key) for key in keys], [now] * len(keys), [microseconds(now)] * len(keys))

    def push(self, row: CheckedRow, logged_at: str, event_id: str) -> None:
        """Take a pushed row, unless the release's own row of the entity is as new."""
        released = self.moments(row.key)
        if released is None or (row.event_at, row.known_at) > released:
            self.pushed.add(row.key, PushedRow(row.event_at, row.known_at, logged_at, event_id, row.values))

    def moments(self, key: Key) -> Moments | None:
        """The event_at and known_at of the release's own row of an entity; None where it has none."""
        place = int(self.file.find([key])[0])
        if place < 0:
            return None
        return _moment(self._event_at.item(place)), _moment(self._known_at.item(place))

    def take(self, found: Found, names: list[str]) -> dict[str, Column]:
        """Columns of what was found; null where there is nothing or it has expired."""
        absent = None
        if found.is_incomplete:
            absent = np.array([status != "present" for status in found.statuses])
        places = found.places
        if absent is not None or found.pushed:
            places = np.maximum(places, 0)
        columns = {}
        for name in names:
            stored = self.file.columns[name]
            is_empty = not self.file.table.num_rows
            column = from_values([None] * len(places), stored.type) if is_empty else stored.take(places)
            for number, row in found.pushed.items():
                one = from_values([row.values[self._feature_places[name]]], stored.type)
                column.values[number], column.null[number] = one.values[0], one.null[0]
            if absent is not None:
                column.null = column.null | absent
            columns[name] = column
        return columns

    def gather(
        self, found: Found, gather: Gather, targets: dict[str, int], matrix: npt.NDArray[np.float64]
    ) -> list[tuple[int, int, int]]:
        """Fill columns of a matrix with what was found; NaN where there is nothing or it has expired.

        gather: of the columns that `targets` names, with their places in the matrix. Returns what was pushed and a double
        does not hold: the row and the column of the matrix, and the number.
        """
        places = found.places
        if found.is_incomplete:
            places = np.where([status == "present" for status in found.statuses], places, -1)
        gather(places, matrix)
        inexact = []
        for number, row in found.pushed.items():
            if found.statuses[number] == "present":
                for name, target in targets.items():
                    value = row.values[self._feature_places[name]]
                    # As it would be stored: a FLOAT has fewer digits.
                    stored = self.file.columns[name].type.to_pandas_dtype()
                    matrix[number, target] = math.nan if value is None else stored(value)
                    if type(value) is int and abs(value) > EXACT:
                        inexact.append((number, target, value))
        return inexact

    def stored(self, found: Found, name: str) -> pa.Array:
        """A column as it is stored, an entry for each entity that was found; what its status is not, is left to the caller."""
        column = self.file.table.column(name)
        places = pa.array(found.places, pa.int64(), mask=found.places < 0)
        values = column.take(places).combine_chunks()
        if not found.pushed:
            return values
        feature = self._feature_places[name]
        pushed = pa.array([row.values[feature] for row in found.pushed.values()], column.type)
        order = np.arange(len(values))
        order[list(found.pushed)] = np.arange(len(values), len(values) + len(pushed))
        return pa.concat_arrays([values, pushed]).take(pa.array(order))

    def event_at(self, found: Found, number: int) -> dt.datetime | None:
        """When the row of an entity was; None where there is none, or before the year 1, such as '-infinity'."""
        if number in found.pushed:
            return found.pushed[number].event_at
        place = found.places.item(number)
        event_at = self._event_at.item(place) if place >= 0 else _FIRST - 1
        return _moment(event_at) if _FIRST <= event_at <= _LAST else None


def _moment(time: int) -> dt.datetime:
    """A stored time; one outside the years 1 to 9999 is the first or last that Python has."""
    return _EPOCH + dt.timedelta(microseconds=min(max(time, _FIRST), _LAST))
