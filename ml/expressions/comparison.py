"""Comparison and choice: three-valued logic, and DuckDB's order, in which NaN equals NaN and is the greatest number."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ml.expressions.casts import DAY
from ml.expressions.column import Column, Mask, RowError, Values, blank
from ml.expressions.types import Type

Branch = Callable[[npt.NDArray[np.intp]], Column]
"""Evaluates an expression for some rows of the batch."""


def _ordered(values: Values, kind: Type) -> Values:
    """Values that compare as DuckDB compares them; an interval's month has 30 days and its day 24 hours."""
    if kind.name == "INTERVAL":
        return (values[:, 0] * 30 + values[:, 1]) * DAY + values[:, 2]
    return values


def equal(one: Values, other: Values, kind: Type) -> Mask:
    """Where two columns of one type hold the same, whatever is null."""
    one, other = _ordered(one, kind), _ordered(other, kind)
    same = np.asarray(one == other, bool)
    return same | (np.isnan(one) & np.isnan(other)) if kind.is_real else same


def less(one: Values, other: Values, kind: Type) -> Mask:
    """Where the first of two columns of one type is less, whatever is null."""
    one, other = _ordered(one, kind), _ordered(other, kind)
    lower = np.asarray(one < other, bool)
    return lower | (np.isnan(other) & ~np.isnan(one)) if kind.is_real else lower


def compare(operator: str, kind: Type) -> Callable[[Column, Column], Column]:
    """'=', '<>', '<', '<=', '>', '>=' of two columns of one type."""

    def operate(one: Column, other: Column) -> Column:
        if operator in ("=", "<>"):
            found = equal(one.values, other.values, kind)
        elif operator in ("<", ">="):
            found = less(one.values, other.values, kind)
        else:
            found = less(other.values, one.values, kind)
        return Column(~found if operator in ("<>", "<=", ">=") else found, one.null | other.null)

    return operate


def distinct(kind: Type) -> Callable[[Column, Column], Column]:
    """`is distinct from`: null is a value like others."""

    def operate(one: Column, other: Column) -> Column:
        differs = (one.null != other.null) | (~one.null & ~other.null & ~equal(one.values, other.values, kind))
        return Column(differs, np.zeros(len(one), bool))

    return operate


def negation(column: Column) -> Column:
    """`not`."""
    return Column(~column.values, column.null)


def conjunction(one: Column, other: Column) -> Column:
    """`and` of two columns: false where one side is false, whatever the other."""
    false = (~one.values & ~one.null) | (~other.values & ~other.null)
    return Column(~false, (one.null | other.null) & ~false)


def disjunction(one: Column, other: Column) -> Column:
    """`or` of two columns: true where one side is true, whatever the other."""
    true = (one.values & ~one.null) | (other.values & ~other.null)
    return Column(true, (one.null | other.null) & ~true)


def decided(one: Column, other: Branch, by: bool) -> Column:
    """`or` (by True) or `and` (by False). Rows that the first side decides do not reach the second."""
    open_rows = np.flatnonzero((one.values != by) | one.null)
    values, null = np.full(len(one), by), np.zeros(len(one), bool)
    if len(open_rows):
        found = (disjunction if by else conjunction)(one.take(open_rows), _evaluate(other, open_rows))
        values[open_rows], null[open_rows] = found.values, found.null
    return Column(values, null)


def extreme(greatest: bool, kind: Type) -> Callable[[Column, Column], Column]:
    """`greatest` or `least` of two columns of one type: nulls are passed over."""

    def operate(one: Column, other: Column) -> Column:
        wins = less(one.values, other.values, kind) if greatest else less(other.values, one.values, kind)
        take = (wins & ~other.null) | one.null
        return Column(_where(take, other.values, one.values), one.null & other.null)

    return operate


def null_if(kind: Type) -> Callable[[Column, Column, Column], Column]:
    """The first column, null where the second and the third, of one type, are equal."""

    def operate(given: Column, one: Column, other: Column) -> Column:
        same = equal(one.values, other.values, kind) & ~one.null & ~other.null
        return Column(given.values, given.null | same)

    return operate


def choose(conditions: list[Branch], results: list[Branch], otherwise: Branch, kind: Type, rows: int) -> Column:
    """`case`: each row takes the result of its first condition that is true. What a row does not reach is not evaluated."""
    values, null = blank(kind, rows), np.ones(rows, bool)
    left = np.arange(rows)
    for condition, result in zip(conditions, results, strict=True):
        if not len(left):
            break
        met = _evaluate(condition, left)
        true = met.values & ~met.null
        _fill(values, null, left[true], result)
        left = left[~true]
    _fill(values, null, left, otherwise)
    return Column(values, null)


def coalesce(branches: list[Branch], kind: Type, rows: int) -> Column:
    """The first that is not null. What a row does not reach is not evaluated."""
    values, null = blank(kind, rows), np.ones(rows, bool)
    for branch in branches:
        _fill(values, null, np.flatnonzero(null), branch)
    return Column(values, null)


def _fill(values: Values, null: Mask, rows: npt.NDArray[np.intp], branch: Branch) -> None:
    if len(rows):
        found = _evaluate(branch, rows)
        values[rows], null[rows] = found.values, found.null


def _evaluate(branch: Branch, rows: npt.NDArray[np.intp]) -> Column:
    try:
        return branch(rows)
    except RowError as error:
        raise RowError(int(rows[error.row])) from error


def _where(condition: Mask, one: Values, other: Values) -> Values:
    return np.where(condition[:, None] if one.ndim == 2 else condition, one, other)
