"""Stored values as Feast's clients read them from JSON (`feast.type_map.python_values_to_proto_values`, Feast 0.67).

A client of Feast that asks for features by name is told no types: it takes them from the values. What it cannot take a type
from, or cannot hold, fails its whole request, so such a value goes as null with the status INVALID.
"""

import datetime as dt
import decimal
import math
from typing import Any, Literal

import pyarrow as pa

from ml.expressions.column import microseconds
from ml.field_types import INTEGERS, arrow_type, encode

Status = Literal["PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE", "INVALID"]
"""Feast's `FieldStatus`."""

GREATEST = 2**63 - 1
"""The greatest whole number that Feast holds."""

_PLAIN = {pa.string(), pa.bool_(), *(arrow_type(name) for name in INTEGERS if name != "UBIGINT")}
_EPOCH = dt.date(1970, 1, 1)


def feast_values(stored: pa.Array) -> tuple[list[Any], list[Status]]:
    """A column of a carried type as JSON values, with a status each.

    Dates and times are whole seconds since 1970, the fraction cut off; DECIMAL is a text. INVALID, with null for a value,
    are NaN and infinities, times outside the years 1 to 9999, numbers past BIGINT, and lists that are empty, hold a null, or
    lie in a list.

    >>> feast_values(pa.array([[0.5], [], None]))
    ([[0.5], None, None], ['PRESENT', 'INVALID', 'NULL_VALUE'])
    """
    values: list[Any] = []
    statuses: list[Status] = []
    if stored.type in _PLAIN:
        values = stored.to_pylist()
        return values, ["NULL_VALUE" if value is None else "PRESENT" for value in values]
    for scalar in stored:
        try:
            value = _read(scalar)
        except (_UnreadableError, OverflowError):
            values.append(None)
            statuses.append("INVALID")
        else:
            values.append(value)
            statuses.append("NULL_VALUE" if value is None else "PRESENT")
    return values, statuses


class _UnreadableError(Exception):
    pass


def _read(scalar: pa.Scalar) -> Any:
    """A value. Raises _UnreadableError, or OverflowError for a time outside of Python's."""
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return _entries([_read(entry) for entry in scalar.values])
    if pa.types.is_struct(kind):
        return {field.name: _read(scalar[place]) for place, field in enumerate(kind)}
    if pa.types.is_map(kind):
        if not len(scalar.values):
            raise _UnreadableError
        return {entry["key"].as_py(): _read(entry["value"]) for entry in scalar.values}
    return _plain(scalar.as_py())


def _entries(entries: list[Any]) -> list[Any]:
    if not entries or any(entry is None or isinstance(entry, list) for entry in entries):
        raise _UnreadableError
    return entries


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        # One without a zone is in UTC, as in Feast.
        return microseconds(value) // 1_000_000
    if isinstance(value, dt.date):
        return (value - _EPOCH).days * 86_400
    if isinstance(value, decimal.Decimal):
        return encode(value)
    if (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and value > GREATEST):
        raise _UnreadableError
    return value
