"""The functions that expressions may call, by name, with the types that they take."""

import datetime as dt
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from sqlglot import exp

from ml.expressions import arithmetic, mathematics, text, times
from ml.expressions.column import Column
from ml.expressions.node import Node, UnsupportedError, alike, computed, in_type, literal
from ml.expressions.types import BIGINT, BOOLEAN, DATE, DOUBLE, INTERVAL, TIMESTAMP, TIMESTAMPTZ, TINYINT, VARCHAR, Type

Call = Callable[[Callable[[Any], Node], str], Node]
"""Compiles a call, with the function that compiles its arguments and the SQL that stands in messages."""

# How sqlglot names what it has a class for, where that is not the function's own name.
_NAMES = {
    exp.TimeToUnix: "epoch",
    exp.DayOfWeek: "dayofweek",
    exp.DayOfWeekIso: "isodow",
    exp.DayOfYear: "dayofyear",
    exp.WeekOfYear: "week",
    exp.IsNan: "isnan",
    exp.IsInf: "isinf",
    exp.StartsWith: "starts_with",
    exp.DPipe: "||",
    exp.Like: "like",
    exp.TimestampTrunc: "date_trunc",
    exp.DateTrunc: "date_trunc",
    exp.DateDiff: "date_diff",
    exp.Pow: "pow",
}
_PARTS = {**{name: name for name in times.PARTS}, "dayofweek": "dow", "dayofyear": "doy", "weekofyear": "week"}
_SHORT_PARTS = (
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "dayofweek",
    "isodow",
    "dayofyear",
    "hour",
    "minute",
    "second",
)
_PAIRS: dict[str, Callable[[str, str], bool]] = {
    "starts_with": str.startswith,
    "prefix": str.startswith,
    "ends_with": str.endswith,
    "suffix": str.endswith,
    "contains": str.__contains__,
}
_TEXTS: dict[str, Callable[[str], str]] = {
    "lower": text.lower,
    "upper": text.upper,
    "trim": lambda value: value.strip(" "),
}
NAMES = [
    "abs", "sign", *mathematics.ROUNDING, *mathematics.FUNCTIONS, *mathematics.PREDICATES, "pow", "atan2", "pi",
    "greatest", "least", "coalesce", "ifnull", "nullif", *_TEXTS, "length", "concat", "substring", "left", *_PAIRS,
    "date_part", "extract", *_SHORT_PARTS, "epoch", "date_trunc", "date_diff",
]  # fmt: skip


def call_of(tree: Any) -> Call | None:
    """How a parsed call is compiled; None where it calls no function that is known here, or in another way."""
    if isinstance(tree, exp.Anonymous):
        name, arguments = tree.name.lower(), list(tree.expressions)
    elif isinstance(tree, exp.Func | exp.Binary):
        name = _NAMES.get(type(tree)) or type(tree).__name__.lower()
        arguments = [part for part in tree.args.values() if isinstance(part, exp.Expression)]
    else:
        return None
    if name in ("extract", "date_part") and len(arguments) == 2:
        return lambda compile_, where: _part(arguments[0].name.lower(), compile_(arguments[1]), where)
    if name in _SHORT_PARTS and len(arguments) == 1:
        return lambda compile_, where: _part(name, compile_(arguments[0]), where)
    if name == "date_trunc" and "unit" in tree.args:
        return lambda compile_, where: _truncated(tree, compile_, where)
    if name == "date_diff" and "unit" in tree.args:
        return lambda compile_, where: _boundaries(tree, compile_, where)
    if name == "concat":
        return lambda compile_, where: _concat([compile_(one) for one in tree.expressions], where)
    if name == "like" and tree.args.get("negate"):
        rule = _CALLS[name, 2]
        return lambda compile_, where: computed(
            BOOLEAN, lambda column: Column(~column.values, column.null), rule(*map(compile_, arguments), where=where)
        )
    known = _CALLS.get((name, len(arguments)))
    if known is None:
        return None
    return lambda compile_, where: known(*(compile_(one) for one in arguments), where=where)


def moment_literal(value: str, kind: Type, where: str) -> Node:
    """A date or a time that is written out. Raises UnsupportedError where it is not in ISO 8601, or its zone is not said."""
    try:
        moment = dt.datetime.fromisoformat(value)
        if (moment.tzinfo is not None) != (kind == TIMESTAMPTZ) or (kind == DATE and len(value) != 10):
            raise ValueError
    except ValueError:
        raise UnsupportedError(
            f"{where}: write a date as '2024-05-31', a timestamp as '2024-05-31 08:30:00' and a timestamptz as "
            "'2024-05-31 08:30:00+00:00'"
        ) from None
    since = moment.replace(tzinfo=moment.tzinfo or dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    number = since.days if kind == DATE else since // dt.timedelta(microseconds=1)
    return Node(kind, literal(number, kind).evaluate)


def _part(name: str, node: Node, where: str) -> Node:
    if name == "epoch":
        return _epoch(node, where=where)
    if name not in _PARTS or not node.type.is_moment:
        raise UnsupportedError(
            f"{where}: the parts of a date or a time are {', '.join(_PARTS)} and epoch, and an interval has epoch alone"
        )
    return computed(BIGINT, times.part(_PARTS[name], node.type), node)


def _epoch(node: Node, where: str) -> Node:
    if not node.type.is_moment and node.type != INTERVAL:
        raise UnsupportedError(f"{where}: epoch of {node.type}; it takes a date, a time or an interval")
    return computed(DOUBLE, times.epoch(node.type), node)


def _unit(tree: Any, where: str) -> str:
    unit: str = tree.args["unit"].name.lower()
    if unit not in times.UNITS and unit not in times.MONTHS:
        raise UnsupportedError(f"{where}: the units are {', '.join([*times.UNITS, *times.MONTHS])}")
    return unit


def _truncated(tree: Any, compile_: Callable[[Any], Node], where: str) -> Node:
    node = compile_(tree.this)
    if node.type not in (TIMESTAMP, TIMESTAMPTZ):
        raise UnsupportedError(f"{where}: date_trunc of {node.type}; it takes a TIMESTAMP or a TIMESTAMPTZ")
    return computed(node.type, times.truncated(_unit(tree, where)), node)


def _boundaries(tree: Any, compile_: Callable[[Any], Node], where: str) -> Node:
    (one, other), kind = alike([compile_(tree.expression), compile_(tree.this)], where)
    if kind not in (TIMESTAMP, TIMESTAMPTZ):
        raise UnsupportedError(f"{where}: date_diff of {kind}; it takes two TIMESTAMPs or two TIMESTAMPTZs")
    unit = _unit(tree, where)
    if unit == "week":
        raise UnsupportedError(f"{where}: date_diff of weeks; take the days and divide")
    return computed(BIGINT, times.boundaries(unit), one, other)


def _concat(nodes: list[Node], where: str) -> Node:
    return computed(VARCHAR, lambda *columns: text.joined(list(columns)), *(_text(node, where) for node in nodes))


def _text(node: Node, where: str) -> Node:
    if node.type != VARCHAR:
        raise UnsupportedError(f"{where}: {node.type} where VARCHAR is expected; write a cast")
    return node


def _real(node: Node, where: str) -> Node:
    if not node.type.is_number:
        raise UnsupportedError(f"{where}: {node.type} where a number is expected")
    return in_type(node, DOUBLE, where)


def _same_number(make: Callable[[Type], Callable[[Column], Column]]) -> Callable[..., Node]:
    def rule(node: Node, where: str) -> Node:
        if not node.type.is_number:
            raise UnsupportedError(f"{where}: {node.type} where a number is expected")
        return computed(node.type, make(node.type), node)

    return rule


def _sign(node: Node, where: str) -> Node:
    if not node.type.is_number:
        raise UnsupportedError(f"{where}: {node.type} where a number is expected")
    return computed(TINYINT, arithmetic.sign, node)


def _rounding(name: str) -> Callable[..., Node]:
    def rule(node: Node, where: str) -> Node:
        if not node.type.is_real:
            raise UnsupportedError(f"{where}: {name} of {node.type}; cast it to DOUBLE")
        return computed(node.type, mathematics.ROUNDING[name], node)

    return rule


def _rounded(node: Node, digits: Node, where: str) -> Node:
    if node.type != DOUBLE or not isinstance(digits.literal, int):
        raise UnsupportedError(f"{where}: round takes a DOUBLE and a number of digits that is written out")
    return computed(DOUBLE, mathematics.rounded(digits.literal), node)


def _mathematics(name: str) -> Callable[..., Node]:
    return lambda node, where: computed(DOUBLE, mathematics.FUNCTIONS[name], _real(node, where))


def _predicate(name: str) -> Callable[..., Node]:
    def rule(node: Node, where: str) -> Node:
        if not node.type.is_real:
            raise UnsupportedError(f"{where}: {name} of {node.type}; it takes a DOUBLE or a FLOAT")
        return computed(BOOLEAN, lambda column: Column(mathematics.PREDICATES[name](column.values), column.null), node)

    return rule


def _pair(name: str) -> Callable[..., Node]:
    return lambda one, other, where: computed(
        BOOLEAN, text.per_pair(_PAIRS[name]), _text(one, where), _text(other, where)
    )


def _of_text(name: str) -> Callable[..., Node]:
    return lambda node, where: computed(VARCHAR, text.per_value(_TEXTS[name]), _text(node, where))


def _length(node: Node, where: str) -> Node:
    return computed(BIGINT, text.per_value(len, np.int64), _text(node, where))


def _like(node: Node, pattern: Node, where: str) -> Node:
    if not isinstance(pattern.literal, str):
        raise UnsupportedError(f"{where}: the pattern of like must be written out as text")
    return computed(BOOLEAN, text.per_value(text.matcher(pattern.literal), bool), _text(node, where))


def _substring(node: Node, start: Node, length: Node | None = None, *, where: str) -> Node:
    first, count = start.literal, length.literal if length else None
    if not isinstance(first, int) or first < 1 or (length and not (isinstance(count, int) and count >= 0)):
        raise UnsupportedError(
            f"{where}: start (1 or more) and length (0 or more) must be numbers that are written out"
        )
    last = None if count is None else first - 1 + int(count)
    return computed(VARCHAR, text.per_value(lambda value: value[first - 1 : last]), _text(node, where))


def _left(node: Node, count: Node, where: str) -> Node:
    return _substring(node, literal(1, BIGINT), count, where=where)


_CALLS: dict[tuple[str, int], Callable[..., Node]] = {
    ("abs", 1): _same_number(arithmetic.absolute),
    ("sign", 1): _sign,
    ("round", 2): _rounded,
    ("pow", 2): lambda x, y, where: computed(DOUBLE, mathematics.power, _real(x, where), _real(y, where)),
    ("atan2", 2): lambda y, x, where: computed(DOUBLE, mathematics.arctangent, _real(y, where), _real(x, where)),
    ("pi", 0): lambda where: Node(DOUBLE, literal(math.pi, DOUBLE).evaluate),  # type: ignore[arg-type]
    ("epoch", 1): _epoch,
    ("length", 1): _length,
    ("||", 2): lambda one, other, where: computed(VARCHAR, text.concatenated, _text(one, where), _text(other, where)),
    ("like", 2): _like,
    ("substring", 2): _substring,
    ("substring", 3): _substring,
    ("left", 2): _left,
    **{(name, 1): _rounding(name) for name in mathematics.ROUNDING},
    **{(name, 1): _mathematics(name) for name in mathematics.FUNCTIONS},
    **{(name, 1): _predicate(name) for name in mathematics.PREDICATES},
    **{(name, 1): _of_text(name) for name in _TEXTS},
    **{(name, 2): _pair(name) for name in _PAIRS},
}
