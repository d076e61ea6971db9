"""Expressions and rows made at random, and what DuckDB says of them: for the test of the compiler against it."""

import datetime as dt
import decimal
import math
import random
import re
import struct
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ml.expressions.column import RowError, from_arrow, to_arrow
from ml.expressions.compiler import compile_expression
from ml.expressions.node import Batch
from ml.expressions.types import INTERVAL, NULL, parse_type
from ml.field_types import arrow_type

COLUMNS = {
    name + number: kind
    for number in ("1", "2")
    for name, kind in {
        "flag": "boolean",
        "tiny": "tinyint",
        "small": "smallint",
        "whole": "integer",
        "big": "bigint",
        "real": "double",
        "single": "float",
        "money": "decimal(9,2)",
        "wide": "decimal(18,4)",
        "word": "varchar",
        "day": "date",
        "local": "timestamp",
        "moment": "timestamptz",
    }.items()
}
TYPES = {name: kind for name, sql_type in COLUMNS.items() if (kind := parse_type(sql_type))}
ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "UTC")
UNITS = ("microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year")
PARTS = ("year", "quarter", "month", "week", "day", "dow", "isodow", "doy", "hour", "minute", "second", "epoch")
INTEGERS = ("tiny", "small", "whole", "big")
LIMITS = {"tiny": 7, "small": 15, "whole": 31, "big": 63}
NUMBERS = (*INTEGERS, "real", "single", "money", "wide")
MOMENTS = ("local", "moment")
KINDS = (*NUMBERS, "flag", "word", "day", *MOMENTS)
_CASTS = {"tiny": "tinyint", "small": "smallint", "whole": "integer", "big": "bigint", "real": "double"}


class Grammar:
    """Expressions by the kind of their value. Most can be compiled; those that cannot are refused."""

    def __init__(self, source: random.Random) -> None:
        self._random = source

    def any(self, depth: int) -> str:
        """An expression of any kind."""
        return self.of(self._random.choice(KINDS), depth)

    def of(self, kind: str, depth: int) -> str:
        """An expression whose value is of a kind, or near it."""
        pick = self._random.choice
        if depth <= 0 or self._random.random() < 0.1:
            return self._leaf(kind)
        general = [
            lambda: (
                f"case when {self.of('flag', depth - 1)} then {self.of(kind, depth - 1)} "
                f"when {self.of('flag', depth - 1)} then {self.of(kind, depth - 1)} else {self.of(kind, depth - 1)} end"
            ),
            lambda: f"if({self.of('flag', depth - 1)}, {self.of(kind, depth - 1)}, {self.of(kind, depth - 1)})",
            lambda: f"coalesce({self.of(kind, depth - 1)}, {self.of(kind, depth - 1)})",
            lambda: f"coalesce(null, {self.of(kind, depth - 1)}, null)",
            lambda: (
                f"case {self.of('word', depth - 1)} when {self.of('word', depth - 1)} then {self.of(kind, depth - 1)} end"
            ),
            lambda: f"nullif({self.of(kind, depth - 1)}, {self.of(kind, depth - 1)})",
            lambda: f"{pick(['greatest', 'least'])}({self.of(kind, depth - 1)}, {self.of(kind, depth - 1)})",
            lambda: self._leaf(kind),
        ]
        special = getattr(self, f"_{'number' if kind in NUMBERS else 'time' if kind in MOMENTS else kind}")
        return f"({pick(general)()})" if self._random.random() < 0.25 else f"({special(kind, depth - 1)})"

    def _leaf(self, kind: str) -> str:
        pick = self._random.choice
        if self._random.random() < 0.75:
            return kind + pick("12")
        if kind in INTEGERS:
            return pick(["0", "1", "2", "3", "7", "100", "127", "128", "40000", "-1", "-128", "3000000000"])
        literals = {
            "real": ["0.5", "1e0", "1e300", "-2.5e-3", "1e-320", "3", "0.1"],
            "single": ["single1", "single2"],
            "money": ["0.5", "1.25", "-3.07", "100.00", "0.001", "2"],
            "wide": ["0.5", "12345678.1234", "-0.0001"],
            "flag": ["true", "false"],
            "word": ["''", "'a'", "'Straße'", "'b%'", "'o''clock'", "'Ωμέγα'"],
            "day": ["date '2024-02-29'", "date '1969-12-31'"],
            "local": ["timestamp '2013-03-10 02:30:00'", "timestamp '2013-11-03 01:30:00.000001'"],
            "moment": ["timestamptz '2013-03-10 07:30:00+00:00'", "timestamptz '2013-11-03 01:30:00-04:00'"],
        }
        return pick(literals[kind])

    def _number(self, kind: str, depth: int) -> str:
        pick = self._random.choice
        one, other = self.of(pick([kind, kind, pick(NUMBERS)]), depth), self.of(kind, depth)
        if kind == "real" and self._random.random() < 0.6:
            function = pick(
                ["sqrt", "exp", "ln", "log", "sin", "cos", "tan", "asin", "acos", "atan", "radians", "degrees"]
            )
            return pick(
                [
                    f"{function}({one})",
                    f"{function}({other})",
                    f"{pick(['floor', 'ceil', 'round', 'trunc'])}({other})",
                    f"round({other}, {pick([-2, 0, 1, 2, 5])})",
                    f"pow({other}, {one})",
                    f"atan2({other}, {one})",
                    f"epoch({self.of(pick(['local', 'moment', 'day']), depth)})",
                    f"epoch({(time := self._same_times(depth))[0]} - {time[1]})",
                    f"cast({one} as double)",
                    f"{one} / {other}",
                ]
            )
        if kind == "big" and self._random.random() < 0.5:
            one_time, other_time = self._same_times(depth)
            return pick(
                [
                    f"date_part('{pick(PARTS[:-1])}', {self.of(pick(['local', 'moment', 'day']), depth)})",
                    f"date_diff('{pick(UNITS)}', {one_time}, {other_time})",
                    f"length({self.of('word', depth)})",
                    f"{self.of('day', depth)} - {self.of('day', depth)}",
                ]
            )
        if kind in _CASTS and self._random.random() < 0.3:
            return f"{pick(['cast', 'try_cast'])}({pick([one, self.of('flag', depth)])} as {_CASTS[kind]})"
        if self._random.random() < 0.15:
            return pick([f"-{other}", f"abs({other})", f"sign({other})"])
        return f"{one} {pick(['+', '-', '*', '//', '%'] if kind in INTEGERS else ['+', '-', '*', '%'])} {other}"

    def _same_times(self, depth: int) -> tuple[str, str]:
        kind = self._random.choice(MOMENTS)
        return self.of(kind, depth), self.of(kind, depth)

    def _flag(self, kind: str, depth: int) -> str:
        pick = self._random.choice
        of = pick(KINDS)
        one, other = self.of(of, depth), self.of(pick([of, pick(NUMBERS)]) if of in NUMBERS else of, depth)
        word = self.of("word", depth)
        return pick(
            [
                f"{one} {pick(['=', '<>', '<', '<=', '>', '>='])} {other}",
                f"{one} {pick(['=', '<>', '<', '<=', '>', '>='])} {other}",
                f"{one} is {pick(['', 'not '])}distinct from {other}",
                f"{one} is {pick(['', 'not '])}null",
                f"({pick(INTEGERS)}1 {pick('+-*')} {pick([1, 2, 100])}) {pick(['=', '<>', '<', '>='])} {pick([0, 4, 100, -7])}",
                f"{one} {pick(['', 'not '])}between {other} and {self.of(of, depth)}",
                f"{one} {pick(['', 'not '])}in ({other}, {self._leaf(of)}, {self._leaf(of)})",
                f"{self.of('flag', depth)} {pick(['and', 'or'])} {self.of('flag', depth)}",
                f"not {self.of('flag', depth)}",
                f"{self.of('flag', depth)} is {pick(['', 'not '])}{pick(['true', 'false'])}",
                f"{word} {pick(['', 'not '])}like '{pick(['a%', '%e', '_', '', '%ß%', 'a.c', '%', '_%_'])}'",
                f"{pick(['starts_with', 'ends_with', 'contains', 'prefix', 'suffix'])}({word}, {self.of('word', depth)})",
                f"{pick(['isnan', 'isinf', 'isfinite'])}({self.of(pick(['real', 'single']), depth)})",
                f"({(time := self._same_times(depth))[0]} - {time[1]}) {pick(['<', '>=', '='])} interval '{pick([-3, 0, 2, 36])} "
                f"{pick(['hours', 'days', 'months'])}'",
                f"{pick(['cast', 'try_cast'])}({self.of(pick([*INTEGERS, 'real']), depth)} as boolean)",
            ]
        )

    def _word(self, kind: str, depth: int) -> str:
        one, other = self.of("word", depth), self.of("word", depth)
        pick = self._random.choice
        return pick(
            [
                f"{pick(['lower', 'upper', 'trim'])}({one})",
                f"{one} || {other}",
                f"concat({one}, {other}, {self._leaf('word')})",
                f"substr({one}, {pick([1, 2, 3, 9])}, {pick([0, 1, 2, 9])})",
                f"substring({one}, {pick([1, 2, 9])})",
                f"left({one}, {pick([0, 1, 4])})",
                f"cast({self.of(pick(INTEGERS), depth)} as varchar)",
            ]
        )

    def _day(self, kind: str, depth: int) -> str:
        pick = self._random.choice
        return pick(
            [
                f"cast({self.of(pick(MOMENTS), depth)} as date)",
                f"{self.of('day', depth)} {pick('+-')} {pick([0, 1, 29, 365])}",
            ]
        )

    def _time(self, kind: str, depth: int) -> str:
        pick = self._random.choice
        other = "moment" if kind == "local" else "local"
        return pick(
            [
                f"{self.of(kind, depth)} at time zone '{pick(ZONES)}'",
                f"{self.of(other, depth)} at time zone '{pick(ZONES)}'",
                f"date_trunc('{pick(UNITS)}', {self.of(kind, depth)})",
                f"{self.of(kind, depth)} {pick('+-')} interval '{pick([1, 2, 13, -5])} {pick(UNITS)}'",
                f"cast({self.of(pick([other, 'day']), depth)} as {COLUMNS[kind + '1']})",
            ]
        )


_REALS = [
    0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 1e-320, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan,
    2.0**31, 2.0**53 + 2, 9.3e18, -9.3e18, 0.1, 127.5, -128.5, 0.49999999999999994, 3.4028235677973366e38, 1e-46,
]  # fmt: skip
_WORDS = [
    "",
    "a",
    "ab",
    " a ",
    "ABC",
    "Straße",
    "ΣΊΣΥΦΟΣ",
    "İı",
    "e\u0301",
    "🦆x",
    "a.c",
    "ŉ",
    "ᾀ",
    "\n",
    "%",
    "\uffff",
    "\U00010000",
]
_TIMES = [
    "1969-12-31T23:59:59.999999", "1970-01-01T00:00:00", "2012-02-29T12:00:00", "2013-03-10T02:30:00",
    "2013-03-10T07:00:00", "2013-03-10T06:59:59.999999", "2013-11-03T01:30:00", "2013-11-03T05:30:00",
    "2013-11-03T06:00:00", "2013-12-31T23:59:59.999999", "2024-12-30T00:00:00", "2021-01-03T23:00:00",
    "1900-03-01T00:00:00", "2000-02-29T00:00:00", "1883-11-18T17:00:00", "2037-11-01T06:00:00", "2400-03-12T07:00:00",
    "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999",
]  # fmt: skip


def _value(source: random.Random, kind: str) -> Any:
    """One value: often one at an edge. Of FLOAT as a double that it holds; of times as microseconds, of dates as days."""
    if source.random() < 0.12:
        return None
    if kind in LIMITS:
        most = 1 << LIMITS[kind]
        return source.choice(
            [0, 1, -1, 2, -most, most - 1, most // 2, source.randrange(-most, most), source.randrange(-100, 100) % most]
        )
    if kind in ("real", "single"):
        number = source.choice(
            [
                *_REALS,
                source.uniform(-1e3, 1e3),
                source.gauss(0, 1),
                math.ldexp(source.random(), source.randrange(-1000, 1000)),
            ]
        )
        with np.errstate(over="ignore"):
            return float(np.float32(number)) if kind == "single" else number
    if kind in ("money", "wide"):
        most = 10 ** (9 if kind == "money" else 18) - 1
        return source.choice(
            [0, 1, -1, 50, -150, most, -most, source.randrange(-most, most), source.randrange(-1000, 1000)]
        )
    if kind == "flag":
        return source.random() < 0.5
    if kind == "word":
        return source.choice([*_WORDS, "".join(source.choices("aAbß% ", k=3))])
    moment = dt.datetime.fromisoformat(source.choice(_TIMES)).replace(tzinfo=dt.UTC)
    since = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    since = source.choice(
        [since, since, since + source.randrange(-(10**10), 10**10), source.randrange(-3 * 10**15, 10**16)]
    )
    if kind == "day":
        return source.choice([since // 86_400_000_000] * 12 + [2**31 - 1, -(2**31 - 1)])
    return source.choice([since] * 12 + [2**63 - 1, -(2**63 - 1)])


def random_rows(seed: int, count: int) -> pa.Table:
    """Rows of COLUMNS."""
    source = random.Random(seed)
    arrays = {}
    for name, kind in COLUMNS.items():
        values = [_value(source, name[:-1]) for _ in range(count)]
        arrow = arrow_type(kind)
        if pa.types.is_timestamp(arrow):
            arrays[name] = pa.array(values, pa.int64()).view(arrow)
        elif pa.types.is_date(arrow):
            arrays[name] = pa.array(values, pa.int32()).view(arrow)
        elif pa.types.is_decimal(arrow):
            arrays[name] = (
                pa.array(values, pa.decimal128(38, 0))
                .cast(pa.decimal128(38, 0))
                .view(pa.decimal128(38, arrow.scale))
                .cast(arrow)
            )
        else:
            arrays[name] = pa.array(values, arrow)
    return pa.table(arrays)


def _plain(kind: str) -> pa.Array:
    if kind.startswith("timestamp"):
        return pa.array([1_400_000_000_123_456], pa.int64()).view(arrow_type(kind))
    if kind.startswith("decimal"):
        return pa.array([decimal.Decimal(1)], arrow_type(kind))
    return pa.array(["a"]) if kind == "varchar" else pa.array([1], pa.int32()).cast(arrow_type(kind))


ERROR = "error"
PLAIN = pa.table({name: _plain(kind) for name, kind in COLUMNS.items()})
_LAZY = re.compile(r"\b(case|if|coalesce|nullif|greatest|least|between|in|and|or)\b")


def by_duckdb(connection: duckdb.DuckDBPyConnection, expression: str, rows: pa.Table) -> tuple[str, list[Any]]:
    """The type of an expression, and of each row its value as comparable bits, None or ERROR.

    A row is asked together with a plain one: where every row of a batch has a null, DuckDB leaves out what would raise.
    """
    connection.register("part", rows)
    kind = str(connection.sql(f"select {expression} as x from part limit 0").types[0])
    shown = f"epoch({expression})" if kind == "INTERVAL" else expression

    def ask(part: pa.Table) -> list[Any]:
        connection.register("part", part)
        return bits(connection.sql(f"select {shown} as x from part").to_arrow_table().column("x"))

    def one_by_one(part: pa.Table) -> list[Any]:
        try:
            return ask(pa.concat_tables([part, plain]))[: part.num_rows]
        except duckdb.Error:
            if part.num_rows == 1:
                return [ERROR]
            half = part.num_rows // 2
            return one_by_one(part.slice(0, half)) + one_by_one(part.slice(half))

    plain = PLAIN
    try:
        ask(plain)
    except duckdb.Error:
        plain = rows.slice(0, 0)
    return {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ", '"NULL"': "NULL"}.get(kind, kind), one_by_one(rows)


def differences(expression: str, found: list[Any], expected: list[Any]) -> list[tuple[Any, Any]]:
    """Where values differ, or one side alone raises. Whether what `case`, `and` and the like do not reach may raise is
    DuckDB's own choice, by the batch and by its optimizer: there a row that one side refuses does not count."""
    is_lazy = _LAZY.search(expression) is not None
    return [
        pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1] and not (is_lazy and ERROR in pair)
    ]


def by_compiler(expression: str, rows: pa.Table) -> tuple[str, list[Any]]:
    """The same by the compiled expression. Raises UnsupportedError."""
    node = compile_expression(expression, COLUMNS)
    batch = Batch(lambda name: from_arrow(rows.column(name), TYPES[name]), rows.num_rows)
    found: list[Any] = [ERROR] * rows.num_rows
    places = np.arange(rows.num_rows)
    while len(places):
        try:
            column = node.evaluate(batch.take(places))
        except RowError as error:
            places = np.delete(places, error.row)
            continue
        if node.type == NULL:
            values: list[Any] = [None] * len(places)
        elif node.type == INTERVAL:
            values = bits(pa.chunked_array([pa.array(column.values.sum(axis=1), pa.int64(), mask=column.null)]))
        else:
            values = bits(pa.chunked_array([to_arrow(column, node.type)]))
        for place, value in zip(places, values, strict=True):
            found[place] = value
        break
    return str(node.type), found


def bits(column: pa.ChunkedArray) -> list[Any]:
    """Values that are equal where their bits are; NaN has one."""
    if pa.types.is_timestamp(column.type):
        column = pa.chunked_array([column.combine_chunks().view(pa.int64())])
    elif pa.types.is_date(column.type):
        column = pa.chunked_array([column.combine_chunks().view(pa.int32())])
    values = column.to_pylist()
    if pa.types.is_floating(column.type):
        return [value if value is None else "nan" if math.isnan(value) else struct.pack("d", value) for value in values]
    return values
