"""A request's instances, checked field by field against a model's signature or a view's key."""

import datetime as dt
from typing import Any

from ml.field_types import decoder
from ml.scoring.signature import Signature
from serving.problems import Problem

MAX_CHARACTERS = 10_000
"""The longest text of a field. Each text is written to the event log, whose lines `dbt run` must be able to read."""

Row = list[Any]
"""The typed values of one object, in the order of its fields; None for one that is left out."""

_ABSENT = object()


class Fields:
    """The fields that an object may have: decided once, when a release is loaded."""

    def __init__(self, types: dict[str, str], required: set[str]) -> None:
        self.types, self.required = types, required
        self._plan = [(name, decoder(sql_type), name in required) for name, sql_type in types.items()]

    def check(self, objects: Any, where: str, most: int) -> list[Row]:
        """A list of JSON objects as rows of typed values.

        Raises Problem 422 that names the object and the field, 413 for more than `most` objects.
        """
        if not isinstance(objects, list):
            raise Problem(422, "must be a list of objects", (where,))
        if not objects:
            raise Problem(422, "must hold at least one object", (where,))
        if len(objects) > most:
            raise Problem(413, f"at most {most} at a time", (where,))
        return [self._check_one(value, where, place) for place, value in enumerate(objects)]

    def _check_one(self, value: Any, where: str, place: int) -> Row:
        if not isinstance(value, dict):
            raise Problem(422, "must be an object", (where, place))
        row: Row = []
        left = len(value)
        for name, decode, is_required in self._plan:
            one = value.get(name, _ABSENT)
            if one is None or one is _ABSENT:
                if is_required:
                    raise Problem(422, "is required" if one is _ABSENT else "must not be null", (where, place, name))
                left -= one is None
                row.append(None)
                continue
            left -= 1
            if type(one) is str and len(one) > MAX_CHARACTERS:
                raise Problem(422, f"expected at most {MAX_CHARACTERS} characters", (where, place, name))
            try:
                row.append(decode(one))
            except ValueError as error:
                raise Problem(422, str(error), (where, place, name)) from None
        if left:
            raise Problem(422, f"has an unknown field; the fields are {', '.join(self.types)}", (where, place))
        return row


def fields_of(signature: Signature) -> Fields:
    """What a model's clients send. The prediction time is the last field."""
    return Fields(
        {**{field.name: field.type for field in signature.request}, signature.at: "TIMESTAMP WITH TIME ZONE"},
        required={field.name for field in signature.request if field.required},
    )


def check_moments(rows: list[Row], column: int, name: str, as_of: dt.datetime, default: dt.datetime) -> None:
    """Complete each instance's prediction time, which stands in a column of the rows and has a name.

    Raises Problem 422 where it lies before what the release knows.
    """
    for place, row in enumerate(rows):
        if row[column] is None:
            row[column] = default
        elif row[column] < as_of:
            raise Problem(422, f"lies before the release's as_of, {as_of.isoformat()}", ("instances", place, name))
