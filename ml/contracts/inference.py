"""Propose a contract from what is in a relation: types, nulls, keys, ranges, closed sets of values, orders of times.

What is proposed holds on the rows that were looked at; whether it is meant to hold on those to come is for a person to say.
"""

import math
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import duckdb

from ml.contracts.keys import find_key
from ml.quoting import Names, literal, quote

MIN_ROWS = 20
"""Fewer rows say nothing of keys, ranges and sets."""
MAX_VALUES = 20
"""The most values of a closed set; each must come MIN_ROWS times on the average."""

_INTEGERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
)
_FLOATS = ("FLOAT", "DOUBLE")
_TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")


@dataclass
class Column:
    """A column with what was found in it. `least` and `greatest`: of finite numbers, or of the lengths of texts and lists."""

    name: str
    type: str
    null_count: int = 0
    distinct: int = 0
    """About how many values it has (HyperLogLog)."""
    least: Any = None
    greatest: Any = None
    has_special: bool = False
    """Whether a NaN or an infinity is among the numbers."""
    values: list[str] = field(default_factory=list)
    """All its values, where they are few."""
    checks: list[str] = field(default_factory=list)

    @property
    def is_number(self) -> bool:
        """Whether it has a range."""
        return self.type in _INTEGERS or self.type in _FLOATS or self.type.startswith("DECIMAL")


@dataclass(frozen=True)
class Contract:
    """A proposed contract. `primary_key`: the fewest columns found that tell every row from the others, or none."""

    row_count: int
    primary_key: list[str]
    columns: list[Column]


def infer(
    connection: duckdb.DuckDBPyConnection, relation: str, key: list[str] | None = None, max_values: int = MAX_VALUES
) -> Contract:
    """A contract that the rows of a relation keep.

    relation: SQL that may stand after `from`. key: columns that are tried first as the primary key. max_values: the most
    values of a closed set. A few aggregations over
    the whole relation, however many columns there are; every check that is proposed was tried on all rows.
    """
    names = Names(connection)
    described = connection.execute(f"describe select * from {relation}").fetchall()
    columns = [Column(row[0], row[1]) for row in described]
    row_count = _profile(connection, relation, columns)
    if row_count < MIN_ROWS:
        return Contract(row_count, [], columns)
    _list_values(connection, relation, row_count, columns, max_values)
    for column in columns:
        column.checks = _checks(column, names.write(column.name))
    for column, check in _orders(connection, relation, columns, names):
        column.checks.append(check)
    _drop_broken(connection, relation, columns)
    return Contract(row_count, find_key(connection, relation, row_count, columns, key), columns)


def _profile(connection: duckdb.DuckDBPyConnection, relation: str, columns: list[Column]) -> int:
    """Fill in what one pass tells of each column. Returns the count of rows."""
    found = ["count(*)"]
    for column in columns:
        name = quote(column.name)
        measure, finite = "null", ""
        if column.type in _FLOATS:
            measure, finite = name, f" filter (isfinite({name}))"
        elif column.is_number:
            measure = name
        elif column.type == "VARCHAR":
            measure = f"length({name})"
        elif column.type.endswith("]"):
            measure = f"len({name})"
        special = f"coalesce(bool_or(not isfinite({name})), false)" if column.type in _FLOATS else "false"
        found += [
            f"count(*) - count({name})",
            f"approx_count_distinct({name})",
            f"min({measure}){finite}",
            f"max({measure}){finite}",
            special,
        ]
    row = connection.execute(f"select {', '.join(found)} from {relation}").fetchall()[0]
    for place, column in enumerate(columns):
        start = 1 + 5 * place
        column.null_count, column.distinct, column.least, column.greatest, column.has_special = row[start : start + 5]
    return int(row[0])


def _list_values(
    connection: duckdb.DuckDBPyConnection, relation: str, row_count: int, columns: list[Column], max_values: int
) -> None:
    """Fill in the values of texts that have few."""
    few = [column for column in columns if column.type == "VARCHAR" and 0 < column.distinct <= 2 * max_values]
    if not few:
        return
    lists = ", ".join(f"list(distinct {quote(column.name)})" for column in few)
    row = connection.execute(f"select {lists} from {relation}").fetchall()[0]
    for column, values in zip(few, row, strict=True):
        known = sorted(value for value in values if value is not None)
        # dbt reads braces in YAML as Jinja.
        if len(known) <= min(max_values, row_count // MIN_ROWS) and not any("{" in value for value in known):
            column.values = known


def _checks(column: Column, name: str) -> list[str]:
    """The checks that one column's profile gives. name: the column as it is written in SQL."""
    if column.values:
        return [f"{name} in ({', '.join(literal(value) for value in column.values)})"]
    if column.least is None or column.type.endswith("]"):
        return []
    if column.type == "VARCHAR":
        return [f"length({name}) = {column.least}"] if column.least == column.greatest else []
    check = _range(column, name)
    return [f"not isfinite({name}) or {check}" if column.has_special else check]


def _range(column: Column, name: str) -> str:
    """The check of `bounds`."""
    low, high = bounds(column)
    return f"{name} >= {_number(low)}" if high is None else f"{name} between {_number(low)} and {_number(high)}"


def bounds(column: Column) -> tuple[Decimal, Decimal | None]:
    """A range rounded outward, to two digits of the span or so; from 0 where what is found begins near it. None: no end."""
    least, greatest = Decimal(str(column.least)), Decimal(str(column.greatest))
    if column.type not in _INTEGERS and least >= 0 and greatest <= 1:
        return Decimal(0), Decimal(1)
    span = greatest - least or abs(greatest) or Decimal(1)
    step = Decimal(1).scaleb(math.floor((span / 5).log10()))
    low = (least / step).to_integral_value(ROUND_FLOOR) * step
    high = (greatest / step).to_integral_value(ROUND_CEILING) * step
    if least >= 0 and low * 5 <= high:
        # Counts grow: only measures get an upper bound.
        return Decimal(0), None if column.type in _INTEGERS else high
    return low, high


def _number(number: Decimal) -> str:
    """A number as SQL, without an exponent where it has few digits."""
    return f"{number:f}" if -6 <= number.adjusted() <= 18 else f"{number.normalize():e}"


def _orders(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: list[Column], names: Names
) -> list[tuple[Column, str]]:
    """Which times never lie before others of their type: (the later column, the check)."""
    times = [column for column in columns if column.type in _TIMES and column.distinct > 1]
    pairs = [(late, early) for late in times for early in times if late is not early and late.type == early.type]
    if not pairs:
        return []
    tried = ", ".join(f"coalesce(bool_and({quote(late.name)} >= {quote(early.name)}), false)" for late, early in pairs)
    row = connection.execute(f"select {tried} from {relation}").fetchall()[0]
    held = {(late.name, early.name) for (late, early), holds in zip(pairs, row, strict=True) if holds}
    place = {column.name: number for number, column in enumerate(times)}
    # What follows from two others needs no check of its own; across a null nothing follows.
    bridges = [column.name for column in times if column.null_count == 0]
    found = []
    for late, early in pairs:
        if (late.name, early.name) not in held:
            continue
        if (early.name, late.name) in held and place[late.name] < place[early.name]:
            continue  # They are always equal: the one that comes second is the later one.
        between = (name for name in bridges if _lies_between(name, late.name, early.name, held, place))
        if next(between, None) is None:
            found.append((late, f"{names.write(late.name)} >= {names.write(early.name)}"))
    return found


def _lies_between(name: str, late: str, early: str, held: set[tuple[str, str]], place: dict[str, int]) -> bool:
    """Whether a time without nulls never lies after `late` nor before `early`. Of equal times the first is the earliest."""

    def is_before(one: str, other: str) -> bool:
        return (other, one) in held and ((one, other) not in held or place[one] < place[other])

    return is_before(early, name) and is_before(name, late)


def _drop_broken(connection: duckdb.DuckDBPyConnection, relation: str, columns: list[Column]) -> None:
    """Keep the checks that every row keeps; numbers at the end of their type's range can leave it when rounded outward."""
    for column in columns:
        column.checks = [check for check in column.checks if _can_be_computed(connection, relation, check)]
    checks = [(column, check) for column in columns for check in column.checks]
    if not checks:
        return
    tried = ", ".join(f"coalesce(bool_and({check}), true)" for _, check in checks)
    row = connection.execute(f"select {tried} from {relation}").fetchall()[0]
    for (column, check), holds in zip(checks, row, strict=True):
        if not holds:
            column.checks.remove(check)


def _can_be_computed(connection: duckdb.DuckDBPyConnection, relation: str, check: str) -> bool:
    try:
        connection.execute(f"select {check} from {relation} limit 0")
    except duckdb.Error:
        return False
    return True
