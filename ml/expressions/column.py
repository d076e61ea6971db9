"""Columns of values while expressions are evaluated: numpy arrays with a mask of nulls."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.expressions.types import Type
from ml.field_types import arrow_type

Values = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
_EPOCH, _MICROSECOND = dt.datetime(1970, 1, 1), dt.timedelta(microseconds=1)
_MICROSECOND_TYPES = {"TIMESTAMP": pa.timestamp("us"), "TIMESTAMPTZ": pa.timestamp("us", tz="UTC")}


class RowError(Exception):
    """A row for which an operation has no value, where DuckDB raises. `row` is its place in the batch."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row}")
        self.row = row


@dataclass(slots=True)
class Column:
    """Values of one type, and which of them are null. What stands in the place of a null has the type and no meaning.

    Not changed once it is made; not declared as frozen, which would make it twice as slow to make.
    """

    values: Values
    null: Mask

    def __len__(self) -> int:
        return len(self.null)

    def take(self, rows: npt.NDArray[np.intp]) -> "Column":
        """Some rows, in the given order."""
        return Column(self.values[rows], self.null[rows])


def refuse(bad: Mask, null: Mask) -> None:
    """Raise RowError for the first row that is bad and not null."""
    wrong = bad & ~null
    if wrong.any():
        raise RowError(int(wrong.argmax()))


def blank(kind: Type, rows: int) -> Values:
    """Values that stand where nothing is."""
    if kind.name == "INTERVAL":
        return np.zeros((rows, 3), np.int64)
    if kind.name == "VARCHAR":
        return np.full(rows, "", object)
    return np.zeros(rows, kind.dtype)


def constant(value: Any, kind: Type, rows: int) -> Column:
    """One value, in each row; None is null."""
    values = blank(kind, rows)
    if value is not None:
        values[:] = value
    return Column(values, np.full(rows, value is None))


def objects(values: list[Any]) -> Values:
    """A list of Python values as a numpy array of objects."""
    made = np.empty(len(values), object)
    made[:] = values
    return made


def from_values(values: Sequence[Any], arrow: pa.DataType) -> Column:
    """Python values of one scalar type, as `ml.field_types.decode` gives them; None is a null."""
    null = np.array([value is None for value in values])
    if pa.types.is_string(arrow):
        return Column(objects(["" if value is None else value for value in values]), null)
    if pa.types.is_decimal(arrow):
        return Column(objects([0 if value is None else int(value.scaleb(arrow.scale)) for value in values]), null)
    if pa.types.is_timestamp(arrow):
        return Column(np.array([0 if value is None else microseconds(value) for value in values], np.int64), null)
    if pa.types.is_date(arrow):
        days = [0 if value is None else value.toordinal() - _EPOCH.toordinal() for value in values]
        return Column(np.array(days, np.int64), null)
    return Column(np.array([0 if value is None else value for value in values], arrow.to_pandas_dtype()), null)


def microseconds(moment: dt.datetime) -> int:
    """A time as microseconds since 1970; one without a zone is taken as it stands."""
    if moment.tzinfo not in (None, dt.UTC):
        moment = moment.astimezone(dt.UTC)
    return (moment.replace(tzinfo=None) - _EPOCH) // _MICROSECOND


def from_arrow(column: pa.ChunkedArray | pa.Array, kind: Type) -> Column:
    """An Arrow column of the type that `ml.field_types.arrow_type` gives. Raises ValueError for values of another type."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if kind.name in _MICROSECOND_TYPES and pa.types.is_timestamp(array.type):
        array = array.view(pa.int64()) if array.type.unit == "us" else array.cast(_MICROSECOND_TYPES[kind.name])
    elif array.type != arrow_type(str(kind)):
        array = array.cast(arrow_type(str(kind)))
    null = np.asarray(array.is_null())
    if kind.name == "DECIMAL":
        scaled = [None if one is None else int(one.scaleb(kind.scale)) for one in array.to_pylist()]
        return Column(objects([value or 0 for value in scaled]), null)
    if kind.name == "VARCHAR":
        return Column(objects([value or "" for value in array.to_pylist()]), null)
    if kind.name == "DATE":
        array = array.view(pa.int32())
    elif kind.name in _MICROSECOND_TYPES:
        array = array.view(pa.int64())
    filled = pc.fill_null(array, False if kind.name == "BOOLEAN" else 0) if null.any() else array
    return Column(filled.to_numpy(zero_copy_only=False).astype(kind.dtype, copy=False), null)


def to_arrow(column: Column, kind: Type) -> pa.Array:
    """The Arrow column of what `from_arrow` reads."""
    arrow = arrow_type(str(kind))
    if kind.name == "DECIMAL":
        # Arrow reads unscaled integers from their 16 bytes.
        width = b"".join(
            int(value).to_bytes(16, "little", signed=True) for value in np.where(column.null, 0, column.values)
        )
        valid = pa.array(~column.null).buffers()[1]
        return pa.Array.from_buffers(arrow, len(column), [valid, pa.py_buffer(width)])
    if kind.name == "DATE":
        return pa.array(column.values.astype(np.int32), pa.int32(), mask=column.null).view(arrow)
    if kind.name in _MICROSECOND_TYPES:
        return pa.array(column.values, pa.int64(), mask=column.null).view(arrow)
    return pa.array(column.values, arrow, mask=column.null)
