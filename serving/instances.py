"""A request's instances, checked field by field against a model's signature or a view's key."""

import datetime as dt
from typing import Any

from ml.field_types import decode
from serving.problems import Problem

MAX_CHARACTERS = 10_000
"""The longest text of a field. Each text is written to the event log, whose lines `dbt run` must be able to read."""


class Fields:
    """The fields that an object may have: decided once, when a release is loaded."""

    def __init__(self, types: dict[str, str], required: set[str]) -> None:
        self.types = types
        self._required = required

    def check(self, objects: Any, where: str, most: int) -> list[dict[str, Any]]:
        """A list of JSON objects as typed values; a field that is left out is None.

        Raises Problem 422 that names the object and the field, 413 for more than `most` objects.
        """
        if not isinstance(objects, list):
            raise Problem(422, "must be a list of objects", (where,))
        if not objects:
            raise Problem(422, "must hold at least one object", (where,))
        if len(objects) > most:
            raise Problem(413, f"at most {most} at a time", (where,))
        return [self._check_one(value, (where, place)) for place, value in enumerate(objects)]

    def _check_one(self, value: Any, location: tuple[str | int, ...]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Problem(422, "must be an object", location)
        for name in value:
            if name not in self.types:
                raise Problem(422, f"has an unknown field; the fields are {', '.join(self.types)}", location)
        row: dict[str, Any] = {}
        for name, sql_type in self.types.items():
            if value.get(name) is None and name in self._required:
                raise Problem(422, "is required" if name not in value else "must not be null", (*location, name))
            if isinstance(value.get(name), str) and len(value[name]) > MAX_CHARACTERS:
                raise Problem(422, f"expected at most {MAX_CHARACTERS} characters", (*location, name))
            try:
                row[name] = decode(value.get(name), sql_type)
            except ValueError as error:
                raise Problem(422, str(error), (*location, name)) from None
        return row


def check_moments(rows: list[dict[str, Any]], at: str, as_of: dt.datetime, default: dt.datetime) -> None:
    """Complete each instance's prediction time. Raises Problem 422 where it lies before what the release knows."""
    for place, row in enumerate(rows):
        if row[at] is None:
            row[at] = default
        elif row[at] < as_of:
            raise Problem(422, f"lies before the release's as_of, {as_of.isoformat()}", ("instances", place, at))
