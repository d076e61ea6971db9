"""Functions of DOUBLEs. The C library's own, by Python's `math`: numpy's differ from DuckDB's in the last bit."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ml.expressions.column import Column, Values

Function = Callable[[Column], Column]


def _scalar(function: Callable[[float], float], outside: Callable[[float], float]) -> Function:
    """A function of the C library; `outside` says what it gives where Python raises."""

    def one(value: float) -> float:
        try:
            return function(value)
        except (ValueError, OverflowError):
            return outside(value)

    def operate(column: Column) -> Column:
        values = [one(value) for value in column.values.tolist()]
        return Column(np.array(values, np.float64), column.null)

    return operate


def _vector(function: Callable[[Any], Any]) -> Function:
    """A function that IEEE 754 defines to the last bit."""

    def operate(column: Column) -> Column:
        with np.errstate(all="ignore"):
            return Column(function(column.values), column.null)

    return operate


def _nan(value: float) -> float:
    return math.nan


def _log(value: float) -> float:
    return -math.inf if value == 0 else math.nan


def _half_away(values: Values) -> Values:
    whole = np.trunc(values)
    return np.where(np.abs(values - whole) >= 0.5, whole + np.copysign(1.0, values), np.copysign(whole, values))


ROUNDING: dict[str, Function] = {
    "round": _vector(_half_away),
    "floor": _vector(np.floor),
    "ceil": _vector(np.ceil),
    "trunc": _vector(np.trunc),
}
"""Of FLOAT and of DOUBLE; the type stays."""

FUNCTIONS: dict[str, Function] = {
    "sqrt": _vector(np.sqrt),
    "exp": _scalar(math.exp, lambda value: math.inf),
    "ln": _scalar(math.log, _log),
    "log": _scalar(math.log10, _log),
    "sin": _scalar(math.sin, _nan),
    "cos": _scalar(math.cos, _nan),
    "tan": _scalar(math.tan, _nan),
    "asin": _scalar(math.asin, _nan),
    "acos": _scalar(math.acos, _nan),
    "atan": _scalar(math.atan, _nan),
    "radians": _vector(lambda values: values * (math.pi / 180)),
    "degrees": _vector(lambda values: values * (180 / math.pi)),
}

PREDICATES: dict[str, Callable[[Any], Any]] = {"isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite}


def rounded(digits: int) -> Function:
    """`round(x, digits)` of a DOUBLE, with the intermediate product that DuckDB has."""
    power = float(10 ** abs(digits))

    def operate(column: Column) -> Column:
        with np.errstate(all="ignore"):
            made = (
                _half_away(column.values * power) / power if digits >= 0 else _half_away(column.values / power) * power
            )
            return Column(np.where(np.isfinite(made), made, column.values), column.null)

    return operate


def power(base: Column, exponent: Column) -> Column:
    """`pow`. Where Python raises, C gives an infinity or NaN."""
    values = [_power(x, y) for x, y in zip(base.values.tolist(), exponent.values.tolist(), strict=True)]
    return Column(np.array(values, np.float64), base.null | exponent.null)


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except (ValueError, OverflowError):
        if base < 0 and not exponent.is_integer():
            return math.nan
        is_odd = exponent.is_integer() and math.fmod(exponent, 2) != 0
        return math.copysign(math.inf, base) if is_odd else math.inf


def arctangent(y: Column, x: Column) -> Column:
    """`atan2`."""
    values = [math.atan2(one, other) for one, other in zip(y.values.tolist(), x.values.tolist(), strict=True)]
    return Column(np.array(values, np.float64), y.null | x.null)
