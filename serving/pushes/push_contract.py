"""What a row has that is pushed to a feature view: its contract, as a release holds it."""

import datetime as dt
from typing import Any, NamedTuple

import pyarrow as pa

from ml.field_types import encode
from ml.json_values import reader
from ml.release.manifest import ReleasedView
from serving.problems import Problem
from serving.pushes.pushed_rows import Key
from serving.requests.instances import MAX_CHARACTERS


class CheckedRow(NamedTuple):
    """A row that keeps a view's contract."""

    key: Key
    event_at: dt.datetime
    known_at: dt.datetime
    values: tuple[Any, ...]
    """Of the view's features, in its order."""


class PushContract:
    """The columns of a view and their types: decided once, when a release is loaded."""

    def __init__(self, view: ReleasedView, schema: pa.Schema) -> None:
        """schema: of the view's feature file."""
        self._view = view
        self._required = {*view.entity, view.event_at, view.known_at}
        self._readers = {
            name: reader(schema.field(name).type)
            for name in (*view.entity, view.event_at, view.known_at, *view.columns)
        }

    def check(self, rows: Any, most: int, now: dt.datetime) -> list[CheckedRow]:
        """The rows of a request. now: when a row was known that does not say so.

        Raises Problem 422 that names the row and the column, 413 for more than `most` rows.
        """
        if not isinstance(rows, list):
            raise Problem(422, "must be a list of objects", ("rows",))
        if not rows:
            raise Problem(422, "must hold at least one object", ("rows",))
        if len(rows) > most:
            raise Problem(413, f"at most {most} at a time", ("rows",))
        return [self._check_one(row, ("rows", place), now) for place, row in enumerate(rows)]

    def read(self, row: dict[str, Any]) -> CheckedRow:
        """A row of the log. A column that it lacks is null: a view may have got it since.

        Raises ValueError or KeyError for what the view does not take.
        """
        values = {name: read(row.get(name)) for name, read in self._readers.items()}
        if any(values[name] is None for name in self._required):
            raise ValueError("the entity and the times must not be null")
        return self._checked(values)

    def write(self, row: CheckedRow) -> dict[str, Any]:
        """A row as the log holds it; `read` gives the same row again."""
        names = (*self._view.entity, self._view.event_at, self._view.known_at, *self._view.columns)
        values = (*row.key, row.event_at, row.known_at, *row.values)
        return {name: encode(value) for name, value in zip(names, values, strict=True)}

    def _check_one(self, row: Any, location: tuple[str | int, ...], now: dt.datetime) -> CheckedRow:
        if not isinstance(row, dict):
            raise Problem(422, "must be an object", location)
        if not row.keys() <= self._readers.keys():
            raise Problem(422, f"has an unknown column; the columns are {', '.join(self._readers)}", location)
        values: dict[str, Any] = {}
        for name, read in self._readers.items():
            value = row.get(name)
            if value is None and name == self._view.known_at:
                values[name] = now
                continue
            if name not in row:
                raise Problem(422, "is required; send null where there is no value", (*location, name))
            if value is None and name in self._required:
                raise Problem(422, "must not be null", (*location, name))
            if isinstance(value, str) and len(value) > MAX_CHARACTERS:
                raise Problem(422, f"expected at most {MAX_CHARACTERS} characters", (*location, name))
            try:
                values[name] = read(value)
            except ValueError as error:
                raise Problem(422, str(error), (*location, name)) from None
        checked = self._checked(values)
        if checked.event_at > checked.known_at:
            field = self._view.known_at if row.get(self._view.known_at) else self._view.event_at
            raise Problem(
                422,
                f"the event is later than when it was known ({self._view.known_at}, which is the release's time unless given)",
                (*location, field),
            )
        return checked

    def _checked(self, values: dict[str, Any]) -> CheckedRow:
        view = self._view
        key = tuple(values[name] for name in view.entity)
        features = tuple(values[name] for name in view.columns)
        return CheckedRow(key, values[view.event_at], values[view.known_at], features)
