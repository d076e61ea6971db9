"""Stored values as JSON, with what JSON has no value for beside them; and values of JSON as they are stored."""

import functools
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from ml.field_types import decode, encode, sql_type

_INFINITE_TIMES = {pa.timestamp("us").id: 2**63 - 1, pa.date32().id: 2**31 - 1}
"""DuckDB's `infinity` of a timestamp and of a date; `-infinity` is the negative number."""


def to_json(scalar: pa.Scalar) -> tuple[Any, dict[str, str]]:
    """An Arrow value of a carried type as JSON, and its special values.

    Special are numbers that JSON lacks and times outside the years 1 to 9999. Null stands in their place, and a JSON Pointer
    (RFC 6901) to it maps to the text: `NaN`, `Infinity`, `-Infinity`, or the time in ISO 8601 with more than four digits or
    a sign. The pointer to the whole value is "".

    >>> to_json(pa.scalar([0.5, float("nan"), None]))
    ([0.5, None, None], {'/1': 'NaN'})
    """
    special: dict[str, str] = {}
    return _to_json(scalar, "", special), special


def _to_json(scalar: pa.Scalar, pointer: str, special: dict[str, str]) -> Any:
    if not scalar.is_valid:
        return None
    kind = scalar.type
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return [_to_json(entry, f"{pointer}/{place}", special) for place, entry in enumerate(scalar.values)]
    if pa.types.is_struct(kind):
        return {
            field.name: _to_json(scalar[place], f"{pointer}/{_escape(field.name)}", special)
            for place, field in enumerate(kind)
        }
    if pa.types.is_map(kind):
        return {
            entry["key"].as_py(): _to_json(entry["value"], f"{pointer}/{_escape(entry['key'].as_py())}", special)
            for entry in scalar.values
        }
    try:
        value = scalar.as_py()
    except OverflowError:
        special[pointer] = _far_time(scalar)
        return None
    if isinstance(value, float) and not math.isfinite(value):
        special[pointer] = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return None
    return encode(value)


def _far_time(scalar: pa.Scalar) -> str:
    """A date or time that Python has no value for."""
    kind = scalar.type
    if abs(scalar.value) == _INFINITE_TIMES[kind.id]:
        return "Infinity" if scalar.value > 0 else "-Infinity"
    text = str(np.datetime64(scalar.value, "D" if pa.types.is_date(kind) else "us"))
    sign, year, rest = re.fullmatch(r"(-?)(\d+)(.*)", text).groups()  # type: ignore[union-attr]
    return f"{sign}{year:0>4}{rest}{'Z' if getattr(kind, 'tz', None) else ''}"


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def reader(kind: pa.DataType) -> Callable[[Any], Any]:
    """What makes a JSON value the Python value of a carried Arrow type, lists, structs and maps too; null is None, at any depth.

    The reader raises ValueError with what was expected, never with the value itself.

    >>> reader(pa.list_(pa.struct([("day", pa.date32())])))([{"day": "2024-05-31"}, None])
    [{'day': datetime.date(2024, 5, 31)}, None]
    >>> reader(pa.map_(pa.string(), pa.float64()))({"late": 0.25})
    [('late', 0.25)]
    """
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        size = kind.list_size if pa.types.is_fixed_size_list(kind) else None
        return functools.partial(_read_list, entry=reader(kind.value_type), size=size)
    if pa.types.is_struct(kind):
        return functools.partial(_read_struct, fields={field.name: reader(field.type) for field in kind})
    if pa.types.is_map(kind):
        return functools.partial(_read_map, value_of=reader(kind.item_type))
    return functools.partial(decode, sql_type=sql_type(kind))


def _read_list(value: Any, entry: Callable[[Any], Any], size: int | None) -> Any:
    if value is None:
        return None
    if not isinstance(value, list) or size not in (None, len(value)):
        raise ValueError("expected a list" if size is None else f"expected a list of {size}")
    return [entry(one) for one in value]


def _read_struct(value: Any, fields: dict[str, Callable[[Any], Any]]) -> Any:
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() != fields.keys():
        raise ValueError(f"expected an object with the fields {', '.join(fields)}")
    return {name: read(value[name]) for name, read in fields.items()}


def _read_map(value: Any, value_of: Callable[[Any], Any]) -> Any:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    return [(decode(name, "VARCHAR"), value_of(entry)) for name, entry in value.items()]
