"""What came of predictions, checked by the task of their model."""

import datetime as dt
import re
from typing import Any, NamedTuple

from ml.field_types import decode
from ml.scoring.signature import Signature
from serving.problems import Problem

_FIELDS = ("request_id", "instance", "outcome", "observed_at")
_TYPES = {"binary": "BOOLEAN", "regression": "DOUBLE", "multiclass": "VARCHAR"}
_REQUEST_ID = re.compile(r"[0-9a-f]{32}\Z")


class Outcome(NamedTuple):
    """What came of one instance of a request."""

    request_id: str
    instance: int
    outcome: bool | float | str
    observed_at: dt.datetime


class Outcomes:
    """What a model's outcomes may be."""

    def __init__(self, signatures: list[Signature]) -> None:
        """signatures: of the model's versions, the newest last. The classes are those of all of them."""
        self._type = _TYPES[signatures[-1].task]
        self._classes = sorted({name for signature in signatures for name in signature.classes})

    def check(self, outcomes: Any, most: int, now: dt.datetime) -> list[Outcome]:
        """The outcomes of a request. now: when one was observed that does not say so.

        Raises Problem 422 that names the outcome and the field, 413 for more than `most`.
        """
        if not isinstance(outcomes, list):
            raise Problem(422, "must be a list of objects", ("outcomes",))
        if not outcomes:
            raise Problem(422, "must hold at least one object", ("outcomes",))
        if len(outcomes) > most:
            raise Problem(413, f"at most {most} at a time", ("outcomes",))
        return [self._check_one(one, ("outcomes", place), now) for place, one in enumerate(outcomes)]

    def _check_one(self, value: Any, location: tuple[str | int, ...], now: dt.datetime) -> Outcome:
        if not isinstance(value, dict):
            raise Problem(422, "must be an object", location)
        if not value.keys() <= set(_FIELDS):
            raise Problem(422, f"has an unknown field; the fields are {', '.join(_FIELDS)}", location)
        for name in ("request_id", "outcome"):
            if value.get(name) is None:
                raise Problem(422, "must not be null" if name in value else "is required", (*location, name))
        request_id = value["request_id"]
        if not isinstance(request_id, str) or not _REQUEST_ID.match(request_id):
            raise Problem(422, "expected the 32 hex digits of a prediction's request_id", (*location, "request_id"))
        outcome = _read(value, "outcome", self._type, location)
        if self._classes and outcome not in self._classes:
            raise Problem(422, f"expected one of the classes {', '.join(self._classes)}", (*location, "outcome"))
        instance = _read(value, "instance", "UINTEGER", location)
        observed_at = _read(value, "observed_at", "TIMESTAMP WITH TIME ZONE", location)
        return Outcome(request_id, instance or 0, outcome, observed_at or now)


def _read(value: dict[str, Any], name: str, sql_type: str, location: tuple[str | int, ...]) -> Any:
    try:
        return decode(value.get(name), sql_type)
    except ValueError as error:
        raise Problem(422, str(error), (*location, name)) from None
