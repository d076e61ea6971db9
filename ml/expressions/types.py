"""The types of expressions: DuckDB's names, the numpy arrays that hold them, and which type two of them have in common."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.field_types import canonical

INTEGER_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}
_INTEGER_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}
_INTEGERS = list(INTEGER_BITS)
_DTYPES: dict[str, Any] = {
    "BOOLEAN": np.bool_,
    "TINYINT": np.int8,
    "SMALLINT": np.int16,
    "INTEGER": np.int32,
    "BIGINT": np.int64,
    "FLOAT": np.float32,
    "DOUBLE": np.float64,
    "VARCHAR": object,
    "DATE": np.int64,
    "TIMESTAMP": np.int64,
    "TIMESTAMPTZ": np.int64,
    "INTERVAL": np.int64,
    "DECIMAL": object,
    "NULL": np.bool_,
}


@dataclass(frozen=True)
class Type:
    """A type of DuckDB: its name and, of a DECIMAL, how many digits it has and how many of them after the point."""

    name: str
    width: int = 0
    scale: int = 0

    def __str__(self) -> str:
        return f"DECIMAL({self.width},{self.scale})" if self.name == "DECIMAL" else self.name

    @property
    def dtype(self) -> Any:
        """The numpy type of its values. A DECIMAL's are Python integers without the point, a DATE's are days and a
        time's microseconds since 1970, an INTERVAL's rows of months, days and microseconds."""
        return _DTYPES[self.name]

    @property
    def is_integer(self) -> bool:
        """Whether it is a signed integer of up to 64 bits."""
        return self.name in INTEGER_BITS

    @property
    def is_exact(self) -> bool:
        """Whether it is an integer or a DECIMAL."""
        return self.is_integer or self.name == "DECIMAL"

    @property
    def is_real(self) -> bool:
        """Whether it is a floating-point number."""
        return self.name in ("FLOAT", "DOUBLE")

    @property
    def is_number(self) -> bool:
        """Whether it is a number of any kind."""
        return self.is_exact or self.is_real

    @property
    def is_moment(self) -> bool:
        """Whether it is a date or a time of a day."""
        return self.name in ("DATE", "TIMESTAMP", "TIMESTAMPTZ")

    @property
    def as_decimal(self) -> "Type":
        """The DECIMAL that holds every value of an exact type."""
        return Type("DECIMAL", _INTEGER_DIGITS[self.name]) if self.is_integer else self

    def holds(self, value: int) -> bool:
        """Whether an integer type has room for a value."""
        half = 1 << (INTEGER_BITS[self.name] - 1)
        return -half <= value < half


BOOLEAN, BIGINT, INTEGER, TINYINT = Type("BOOLEAN"), Type("BIGINT"), Type("INTEGER"), Type("TINYINT")
DOUBLE, VARCHAR, INTERVAL, NULL = Type("DOUBLE"), Type("VARCHAR"), Type("INTERVAL"), Type("NULL")
DATE, TIMESTAMP, TIMESTAMPTZ = Type("DATE"), Type("TIMESTAMP"), Type("TIMESTAMPTZ")


def parse_type(sql_type: str) -> Type | None:
    """A SQL type by its name; None for one that expressions cannot work with.

    >>> str(parse_type("numeric(9, 2)")), parse_type("hugeint")
    ('DECIMAL(9,2)', None)
    """
    try:
        name = canonical(sql_type).replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
    except TypeError:
        return None
    if match := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", name):
        return Type("DECIMAL", int(match[1]), int(match[2]))
    return Type(name) if name in _DTYPES and name not in ("DECIMAL", "NULL") else None


def common_type(one: Type, other: Type) -> Type | None:
    """The type in which DuckDB compares two values, or gives either of them; None where there is none that is exact."""
    if one == other or other == NULL:
        return one
    if one == NULL:
        return other
    if one.is_integer and other.is_integer:
        return max(one, other, key=lambda kind: INTEGER_BITS[kind.name])
    if one.is_exact and other.is_exact:
        left, right = one.as_decimal, other.as_decimal
        scale = max(left.scale, right.scale)
        width = max(left.width - left.scale, right.width - right.scale) + scale
        return Type("DECIMAL", width, scale) if width <= 38 else None
    if one.is_number and other.is_number:
        if DOUBLE in (one, other):
            return DOUBLE
        # A FLOAT beside a DECIMAL is left out: DuckDB rounds it by a way of its own.
        return None if "DECIMAL" in (one.name, other.name) else Type("FLOAT")
    if one.is_moment and other.is_moment:
        return TIMESTAMPTZ if TIMESTAMPTZ in (one, other) else TIMESTAMP
    return None
