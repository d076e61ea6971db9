"""Values between JSON, Python and DuckDB: each type of a contract has one reading, and nothing is rounded on the way.

The types that are carried: the scalars below, DECIMAL, LIST, ARRAY and STRUCT of carried types, and the map from class to
probability. All others lose something in Arrow or Parquet (HUGEINT becomes a double, ENUM a text, TIMESTAMP_S another type)
or have no plain form in JSON.
"""

import datetime as dt
import decimal
import functools
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

INTEGERS = {
    "TINYINT": (pa.int8(), -(2**7), 2**7 - 1),
    "SMALLINT": (pa.int16(), -(2**15), 2**15 - 1),
    "INTEGER": (pa.int32(), -(2**31), 2**31 - 1),
    "BIGINT": (pa.int64(), -(2**63), 2**63 - 1),
    "UTINYINT": (pa.uint8(), 0, 2**8 - 1),
    "USMALLINT": (pa.uint16(), 0, 2**16 - 1),
    "UINTEGER": (pa.uint32(), 0, 2**32 - 1),
    "UBIGINT": (pa.uint64(), 0, 2**64 - 1),
}
"""The types of whole numbers, with the Arrow type and the bounds of each."""

_SIMPLE = {
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "DOUBLE": pa.float64(),
    "FLOAT": pa.float32(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
}
PROBABILITIES = "MAP(VARCHAR, DOUBLE)"
"""The type of the probabilities of classes."""
CARRIED = (*INTEGERS, *_SIMPLE, "DECIMAL", "LIST", "ARRAY", "STRUCT", PROBABILITIES)
"""The types that arrive unchanged in datasets, releases and HTTP answers, as DuckDB names them."""

_INSTEAD = {
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
    "TIMESTAMPTZ_NS": "TIMESTAMP WITH TIME ZONE",
    "INTERVAL": "BIGINT, a count of microseconds",
    "MAP": "a list of STRUCT(key, value), with map_entries(...)",
    "UNION": "a STRUCT with a field for each member",
    "TUPLE": "a STRUCT, whose fields have names",
}
_LARGEST_FLOAT = 3.4028234663852886e38
_DIGITS = re.compile(r"-?\d{1,50}(\.\d{1,50})?(e[+-]?\d{1,2})?\Z", re.IGNORECASE | re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?\Z", re.ASCII)
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)\Z")


@functools.cache
def canonical(sql_type: str) -> str:
    """A SQL type as DuckDB names it: `timestamptz` is TIMESTAMP WITH TIME ZONE, `int[]` is INTEGER[].

    Raises TypeError for what is no type of DuckDB.
    """
    plain = sql_type.upper()
    return plain if plain in INTEGERS or plain in _SIMPLE else str(_parse(sql_type))


def _parse(sql_type: str) -> "DuckDBPyType":
    """What DuckDB's own parser makes of a type."""
    import duckdb  # Where it is used: a process that only scores reads canonical names.

    try:
        return duckdb.dtype(sql_type)
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise TypeError(f"{sql_type} is no type ({said}); write one of {', '.join(CARRIED)}") from None


@functools.cache
def arrow_type(sql_type: str) -> pa.DataType:
    """The Arrow type that holds a SQL type's values exactly.

    Raises TypeError for a type that is not carried, with what to cast it to and the types that are.
    """
    name = canonical(sql_type)
    if (scalar := _scalar(name)) is not None:
        return scalar
    return _nested(_parse(sql_type), name)


def _scalar(name: str) -> pa.DataType | None:
    if name in INTEGERS:
        return INTEGERS[name][0]
    if name in _SIMPLE:
        return _SIMPLE[name]
    if match := _DECIMAL.match(name):
        return pa.decimal128(int(match[1]), int(match[2]))
    return None


def _nested(kind: "DuckDBPyType", whole: str) -> pa.DataType:
    """whole: the type that `kind` is a part of, for the error."""
    name = str(kind)
    if (scalar := _scalar(name)) is not None:
        return scalar
    if name == PROBABILITIES:
        return pa.map_(pa.string(), pa.float64())
    parts: dict[str, Any] = dict(kind.children) if kind.id in ("list", "array", "struct") else {}
    if kind.id == "list":
        return pa.list_(_nested(parts["child"], whole))
    if kind.id == "array":
        return pa.list_(_nested(parts["child"], whole), parts["size"])
    if kind.id == "struct" and parts:
        return pa.struct([(field, _nested(part, whole)) for field, part in parts.items()])
    head = name.partition("(")[0]
    raise TypeError(
        f"{name}{'' if name == whole else f' (in {whole})'} is not carried unchanged; cast it to "
        f"{_INSTEAD.get(head, 'VARCHAR')}. The types that are: {', '.join(CARRIED)}"
    )


def sql_type(arrow: pa.DataType) -> str:
    """The scalar SQL type that `arrow_type` gives this Arrow type for. Raises TypeError where there is none."""
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision},{arrow.scale})"
    for name in (*INTEGERS, *_SIMPLE):
        if arrow_type(name) == arrow:
            return name
    raise TypeError(f"the type {arrow} cannot be carried by a request")


def is_scalar(sql_type: str) -> bool:
    """Whether a value of this type is carried and has no parts, so that a request can hold it."""
    return _scalar(canonical(sql_type)) is not None


def is_key(sql_type: str) -> bool:
    """Whether an entity's key can have this type: equal values have one form, in SQL and in a request."""
    name = canonical(sql_type)
    return is_scalar(name) and name not in ("DOUBLE", "FLOAT")


def is_numeric(sql_type: str) -> bool:
    """Whether a model can take a column of this type as a number."""
    name = canonical(sql_type)
    return name in INTEGERS or name in ("DOUBLE", "FLOAT", "BOOLEAN") or bool(_DECIMAL.match(name))


def decode(value: Any, sql_type: str) -> Any:
    """A JSON value as the Python value of a SQL type; None stays None.

    Raises ValueError with what was expected, never with the value itself.
    """
    return None if value is None else decoder(sql_type)(value)


@functools.cache
def decoder(sql_type: str) -> Callable[[Any], Any]:
    """What `decode` does with values of a type that are not None. Raises TypeError for a type that no request carries."""
    name = canonical(sql_type)
    if name in INTEGERS:
        _, least, greatest = INTEGERS[name]
        return functools.partial(_decode_integer, least=least, greatest=greatest)
    if name in ("DOUBLE", "FLOAT"):
        return functools.partial(_decode_float, most=_LARGEST_FLOAT if name == "FLOAT" else math.inf)
    if name in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP"):
        return functools.partial(_decode_timestamp, with_zone=name == "TIMESTAMP WITH TIME ZONE")
    if match := _DECIMAL.match(name):
        return functools.partial(_decode_decimal, precision=int(match[1]), scale=int(match[2]))
    if name in (found := {"VARCHAR": _decode_text, "BOOLEAN": _decode_boolean, "DATE": _decode_date}):
        return found[name]
    raise TypeError(f"the type {sql_type} cannot be carried by a request")


def _decode_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a string")
    if "\x00" in value:
        raise ValueError("expected a string without NUL")
    return value


def _decode_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _decode_date(value: Any) -> dt.date:
    try:
        if not _DATE.match(value):
            raise ValueError
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("expected a date such as 2024-05-31") from None


def _decode_integer(value: Any, least: int, greatest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("expected an integer")
    if not least <= value <= greatest:
        raise ValueError(f"expected an integer from {least} to {greatest}")
    return int(value)


def _decode_float(value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("expected a number that a double can hold") from None
    if isinstance(value, int) and number != value:
        raise ValueError("expected a number that a double holds exactly")
    if not math.isfinite(number) or abs(number) > most:
        raise ValueError("expected a finite number")
    return number


def _decode_timestamp(value: Any, with_zone: bool) -> dt.datetime:
    expected = (
        "expected a time with its zone, such as 2024-05-31T08:30:00Z" if with_zone else "expected a time without zone"
    )
    try:
        if not _TIME.match(value):
            raise ValueError
        moment = dt.datetime.fromisoformat(value)
        if (moment.tzinfo is not None) != with_zone:
            raise ValueError
        return moment.astimezone(dt.UTC) if with_zone else moment
    except (TypeError, ValueError, OverflowError):
        raise ValueError(expected) from None


def _decode_decimal(value: Any, precision: int, scale: int) -> decimal.Decimal:
    expected = f"expected a decimal number of at most {precision} digits, {scale} of them after the point"
    if isinstance(value, bool) or not isinstance(value, int | float | str) or not _DIGITS.match(str(value)):
        raise ValueError(expected)
    number = decimal.Decimal(str(value))
    digits, exponent = len(number.as_tuple().digits), int(number.as_tuple().exponent)
    if digits + exponent > precision - scale and not number.is_zero():
        raise ValueError(expected)
    with decimal.localcontext(prec=max(digits, precision) + scale + 1):
        exact = number.quantize(decimal.Decimal(1).scaleb(-scale))
        if exact != number:
            raise ValueError(expected)
    return exact


def encode(value: Any) -> Any:
    """A Python value as JSON holds it: times in ISO 8601 with Z, DECIMAL as a string, NaN and infinity as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): encode(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [encode(entry) for entry in value]
    return value
