"""Casts between types, with DuckDB's rounding: what does not fit is bad, for the caller to refuse or to make null."""

from collections.abc import Callable

import numpy as np

from ml.expressions.column import Column, Mask, Values, objects, refuse
from ml.expressions.types import INTEGER_BITS, Type

DAY = 86_400_000_000
"""Microseconds of a day."""
LAST_MOMENT, LAST_DAY = 2**63 - 1, 2**31 - 1
"""'infinity' of times and of dates; the same below zero is '-infinity'."""


def cast(column: Column, source: Type, target: Type, or_null: bool = False) -> Column:
    """A column in another type, which `can_cast` allows. or_null: null where a value does not fit, not RowError."""
    if source == target:
        return column
    values, bad = _CONVERSIONS[_kind(source), _kind(target)](column, source, target)
    if or_null:
        return Column(values, column.null | bad)
    refuse(bad, column.null)
    return Column(values, column.null)


def can_cast(source: Type, target: Type) -> bool:
    """Whether values of one type have the very values of DuckDB in the other."""
    return source == target or (_kind(source), _kind(target)) in _CONVERSIONS


def _kind(kind: Type) -> str:
    return "INTEGERS" if kind.is_integer else kind.name


def _none(column: Column) -> Mask:
    return np.zeros(len(column), bool)


def _plain(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    """Every value fits."""
    return column.values.astype(target.dtype), _none(column)


def _integer_to_integer(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    half = 1 << (INTEGER_BITS[target.name] - 1)
    wide = column.values.astype(np.int64)
    return wide.astype(target.dtype), (wide < -half) | (wide > half - 1)


def _real_to_integer(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    half = 2.0 ** (INTEGER_BITS[target.name] - 1)
    rounded = np.rint(column.values.astype(np.float64))
    fits = (rounded >= -half) & (rounded < half)
    return np.where(fits, rounded, 0).astype(target.dtype), ~fits


def _double_to_float(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    with np.errstate(over="ignore"):
        narrow = column.values.astype(np.float32)
    return narrow, np.isinf(narrow) & np.isfinite(column.values)


def _to_boolean(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    return column.values != 0, _none(column)


def half_away(value: int, divisor: int) -> int:
    """An integer by another, rounded to the nearest, and half away from zero."""
    quotient = (2 * abs(value) + divisor) // (2 * divisor)
    return quotient if value >= 0 else -quotient


def _integer_to_decimal(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    scaled = [int(value) * 10**target.scale for value in column.values]
    return _fitting(scaled, target)


def _decimal_to_decimal(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    if target.scale >= source.scale:
        return _fitting([value * 10 ** (target.scale - source.scale) for value in column.values], target)
    divisor = 10 ** (source.scale - target.scale)
    return _fitting([half_away(value, divisor) for value in column.values], target)


def _fitting(scaled: list[int], target: Type) -> tuple[Values, Mask]:
    limit = 10**target.width
    return objects(scaled), np.array([not -limit < value < limit for value in scaled], bool)


def _decimal_to_integer(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    rounded = [half_away(value, 10**source.scale) for value in column.values]
    bad = np.array([not target.holds(value) for value in rounded], bool)
    return np.array([0 if wrong else value for value, wrong in zip(rounded, bad, strict=True)], target.dtype), bad


def _decimal_to_double(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    power, real_power = 10**source.scale, float(f"1e{source.scale}")

    def real(value: int) -> float:
        if abs(value) <= 2**53 or source.scale == 0:
            return float(value) / real_power
        whole, rest = divmod(abs(value), power)
        made = float(whole) + float(rest) / real_power
        return made if value > 0 else -made

    return np.array([real(value) for value in column.values], np.float64), _none(column)


def _integer_to_text(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    return objects([str(value) for value in column.values.tolist()]), _none(column)


def _date_to_moment(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    infinite = np.abs(column.values) == LAST_DAY
    # Between the first and the last day that has all its microseconds.
    bad = ~infinite & ((column.values < -106_751_990) | (column.values > 106_751_990))
    made = np.where(infinite | bad, 0, column.values) * DAY
    return np.where(infinite, np.sign(column.values) * LAST_MOMENT, made), bad


def _moment_to_date(column: Column, source: Type, target: Type) -> tuple[Values, Mask]:
    infinite = np.abs(column.values) == LAST_MOMENT
    return np.where(infinite, np.sign(column.values) * LAST_DAY, column.values // DAY), _none(column)


_CONVERSIONS: dict[tuple[str, str], Callable[[Column, Type, Type], tuple[Values, Mask]]] = {
    ("INTEGERS", "INTEGERS"): _integer_to_integer,
    ("INTEGERS", "FLOAT"): _plain,
    ("INTEGERS", "DOUBLE"): _plain,
    ("INTEGERS", "BOOLEAN"): _to_boolean,
    ("INTEGERS", "DECIMAL"): _integer_to_decimal,
    ("INTEGERS", "VARCHAR"): _integer_to_text,
    ("BOOLEAN", "INTEGERS"): _plain,
    ("BOOLEAN", "DOUBLE"): _plain,
    ("FLOAT", "DOUBLE"): _plain,
    ("FLOAT", "INTEGERS"): _real_to_integer,
    ("DOUBLE", "INTEGERS"): _real_to_integer,
    ("DOUBLE", "FLOAT"): _double_to_float,
    ("DOUBLE", "BOOLEAN"): _to_boolean,
    ("DECIMAL", "DECIMAL"): _decimal_to_decimal,
    ("DECIMAL", "INTEGERS"): _decimal_to_integer,
    ("DECIMAL", "DOUBLE"): _decimal_to_double,
    ("DATE", "TIMESTAMP"): _date_to_moment,
    ("DATE", "TIMESTAMPTZ"): _date_to_moment,
    ("TIMESTAMP", "DATE"): _moment_to_date,
    ("TIMESTAMPTZ", "DATE"): _moment_to_date,
    # The session's time zone is UTC.
    ("TIMESTAMP", "TIMESTAMPTZ"): _plain,
    ("TIMESTAMPTZ", "TIMESTAMP"): _plain,
}
