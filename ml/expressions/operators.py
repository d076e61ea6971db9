"""Operators between nodes: which types they take, what type they give, and how DuckDB rewrites them."""

from typing import Any

from ml.expressions import arithmetic, comparison, times
from ml.expressions.node import Node, UnsupportedError, alike, computed, in_type
from ml.expressions.types import BIGINT, BOOLEAN, DATE, DOUBLE, INTERVAL, TIMESTAMP, Type


def calculate(operator: str, one: Node, other: Node, where: str) -> Node:
    """'+', '-', '*', '/', '//' or '%' of two nodes. Raises UnsupportedError for types that have none."""
    kinds = {one.type, other.type}
    if any(kind.is_moment or kind == INTERVAL for kind in kinds):
        return _calculate_time(operator, one, other, where)
    if not all(kind.is_number for kind in kinds):
        raise UnsupportedError(
            f"{where}: {one.type} {operator} {other.type} is not computed at request time; write a cast"
        )
    if operator == "/":
        sides = [in_type(side, DOUBLE, where) for side in (one, other)]
        return computed(DOUBLE, arithmetic.reals("/"), *sides)
    sides, kind = alike([one, other], where)
    if kind.is_integer:
        return computed(kind, arithmetic.integers(operator, kind), *sides)
    if kind.is_real and operator != "//":
        return computed(kind, arithmetic.reals(operator), *sides)
    if operator in ("+", "-", "*"):
        return decimal_calculate(operator, one, other, where)
    raise UnsupportedError(
        f"{where}: {operator} of {kind} is not computed at request time; cast both sides to DOUBLE or to integers"
    )


def decimal_calculate(operator: str, one: Node, other: Node, where: str) -> Node:
    """'+', '-' or '*' of two exact numbers, as DECIMAL. Raises UnsupportedError where the digits do not suffice."""
    result = arithmetic.result_type(operator, one.type.as_decimal, other.type.as_decimal)
    if result is None:
        raise UnsupportedError(f"{where}: has more digits than a DECIMAL holds; cast one side to DOUBLE")
    sides = []
    for side in (one, other):
        scale = side.type.as_decimal.scale if operator == "*" else result.scale
        sides.append(in_type(side, Type("DECIMAL", 38, scale), where))
    return computed(result, arithmetic.decimals(operator, result), *sides)


def refuse_same(one: Any, other: Any, where: str) -> None:
    """Raise UnsupportedError for a comparison that DuckDB does not make, since it knows the answer."""
    if one == other:
        raise UnsupportedError(f"{where}: compares a value with itself; write is not null, or what was meant")


def is_solved(compared: str, operator: str, inner: list[Node], kind: Type, limit: Node) -> bool:
    """Whether DuckDB solves `x + 1 > 5` to `x > 4`, so that the sum of an x at the edge of its type does not overflow."""
    numbers = [node.literal for node in inner if node.is_literal]
    if len(numbers) != 1 or not isinstance(numbers[0], int) or not isinstance(limit.literal, int):
        return False
    number, bound = numbers[0], limit.literal
    if operator == "*":
        return number != 0 and (compared in ("=", "<>") or bound % number == 0)
    solved = bound - number if operator == "+" else bound + number if inner[1].is_literal else number - bound
    return compared == "=" or kind.holds(solved)


def compare(operator: str, one: Node, other: Node, where: str) -> Node:
    """'=', '<>', '<', '<=', '>' or '>=' of two nodes."""
    sides, kind = alike([one, other], where)
    return computed(BOOLEAN, comparison.compare(operator, kind), *sides)


def _calculate_time(operator: str, one: Node, other: Node, where: str) -> Node:
    """Sums and differences of dates, times, intervals and numbers of days."""
    if operator == "+" and not one.type.is_moment:
        one, other = other, one
    sign = -1 if operator == "-" else 1
    if operator in ("+", "-") and one.type.is_moment:
        if other.type == INTERVAL:
            kind = TIMESTAMP if one.type == DATE else one.type
            return computed(kind, times.moved(sign), in_type(one, kind, where), other)
        if one.type == DATE and other.type.is_integer and other.type != BIGINT:
            return computed(DATE, times.moved_days(sign), one, in_type(other, BIGINT, where))
        if operator == "-" and one.type == other.type == DATE:
            return computed(BIGINT, times.days_between, one, other)
        if operator == "-" and other.type.is_moment:
            sides, _ = alike([one, other], where)
            return computed(INTERVAL, times.difference, *sides)
    raise UnsupportedError(f"{where}: {one.type} {operator} {other.type} is not computed at request time")
