"""Arithmetic on numbers: integers and DECIMAL that overflow have no value, floating point follows IEEE 754."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ml.expressions.column import Column, Mask, Values, objects, refuse
from ml.expressions.types import INTEGER_BITS, Type

Operation = Callable[[Column, Column], Column]


def result_type(operator: str, one: Type, other: Type) -> Type | None:
    """The type of a sum ('+', '-') or a product ('*') of two DECIMALs, as DuckDB has it; None where it has none."""
    if operator == "*":
        # DuckDB keeps a product within 64 bits where both sides are, and raises where it is greater.
        most = 18 if max(one.width, other.width) <= 18 else 38
        width, scale = one.width + other.width, one.scale + other.scale
    else:
        most, scale = 38, max(one.scale, other.scale)
        width = max(one.width - one.scale, other.width - other.scale) + scale + 1
    return None if scale > most else Type("DECIMAL", min(width, most), scale)


def decimals(operator: str, result: Type) -> Operation:
    """Of two DECIMALs: for a sum already with the result's scale."""
    limit = 10**result.width

    def operate(one: Column, other: Column) -> Column:
        null = one.null | other.null
        values = _EXACT[operator](one.values, other.values)
        refuse(np.array([not -limit < value < limit for value in values], bool), null)
        return Column(values, null)

    return operate


def integers(operator: str, kind: Type) -> Operation:
    """'+', '-', '*', '//' and '%' of two columns of one integer type. Division by zero has no value."""
    half = 1 << (INTEGER_BITS[kind.name] - 1)

    def operate(one: Column, other: Column) -> Column:
        null = one.null | other.null
        left, right = one.values.astype(np.int64), other.values.astype(np.int64)
        if operator in ("//", "%"):
            zero = right == 0
            refuse(zero, null)
            # The one quotient that does not fit is refused by DuckDB for the rest, too.
            overflow = (left == -half) & (right == -1)
            refuse(overflow, null)
            right = np.where(zero | overflow, 1, right)
            remainder = np.fmod(left, right)
            values = remainder if operator == "%" else (left - remainder) // right
        elif _small(left) and _small(right):
            values = _EXACT[operator](left, right)
        else:
            exact = _EXACT[operator](objects(left.tolist()), objects(right.tolist()))
            bad = np.array([not -half <= value < half for value in exact], bool)
            refuse(bad, null)
            values = np.array([0 if wrong else value for value, wrong in zip(exact, bad, strict=True)], np.int64)
        refuse((values < -half) | (values > half - 1), null)
        return Column(values.astype(kind.dtype), null)

    return operate


def _small(values: Values) -> bool:
    """Whether no sum or product of two such numbers leaves 64 bits."""
    return bool(((values >= -(2**31)) & (values < 2**31)).all())


_EXACT: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
}
_REAL: dict[str, Callable[[Any, Any], Any]] = {**_EXACT, "/": np.divide, "%": np.fmod}


def reals(operator: str) -> Operation:
    """'+', '-', '*', '/' and '%' of two columns of floating point."""
    function = _REAL[operator]

    def operate(one: Column, other: Column) -> Column:
        with np.errstate(all="ignore"):
            return Column(function(one.values, other.values), one.null | other.null)

    return operate


def negative(kind: Type) -> Callable[[Column], Column]:
    """A number with the other sign."""

    def operate(column: Column) -> Column:
        refuse(_least(column.values, kind), column.null)
        return Column(-column.values, column.null)

    return operate


def absolute(kind: Type) -> Callable[[Column], Column]:
    """A number without its sign."""

    def operate(column: Column) -> Column:
        refuse(_least(column.values, kind), column.null)
        return Column(np.abs(column.values), column.null)

    return operate


def _least(values: Values, kind: Type) -> Mask:
    if not kind.is_integer:
        return np.zeros(len(values), bool)
    return np.asarray(values == -(1 << (INTEGER_BITS[kind.name] - 1)))


def sign(column: Column) -> Column:
    """-1, 0 or 1; 0 for NaN."""
    return Column((column.values > 0).astype(np.int8) - (column.values < 0).astype(np.int8), column.null)
