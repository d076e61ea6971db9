"""Arrow columns, checked against the fields that an instance may have: what JSON's check takes, and nothing that would lose."""

import datetime as dt
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.expressions.column import microseconds
from ml.field_types import INTEGERS, arrow_type, canonical
from serving.problems import Problem
from serving.requests.instances import MAX_CHARACTERS, Fields

_FIRST_TIME, _LAST_TIME = microseconds(dt.datetime.min), microseconds(dt.datetime.max)
_EPOCH = dt.date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = dt.date.min.toordinal() - _EPOCH, dt.date.max.toordinal() - _EPOCH


def check_columns(batches: list[pa.RecordBatch], fields: Fields, most_bytes: int) -> pa.Table:
    """The fields as columns of one chunk each, in their order and of the Arrow types of their SQL types.

    A column that may be left out, and is, has nulls. Taken are integers of any width, floating-point numbers of any
    width, texts (also views and dictionaries), times of any unit with a zone where the field's has one. Raises Problem:
    422 with the column, and the row where one is wrong, 413 where the texts take more than `most_bytes`.
    """
    schema = batches[0].schema
    unknown = [name for name in schema.names if name not in fields.types]
    if unknown:
        raise Problem(422, f"{len(unknown)} unknown column(s); the fields are {', '.join(fields.types)}", ("columns",))
    if len(set(schema.names)) < len(schema.names):
        raise Problem(422, "a column is there twice", ("columns",))
    rows = sum(batch.num_rows for batch in batches)
    if not rows:
        raise Problem(422, "must hold at least one row", ("instances",))
    columns, left = {}, most_bytes
    for name, sql_type in fields.types.items():
        kind = arrow_type(sql_type)
        if name not in schema.names:
            if name in fields.required:
                raise Problem(422, "is required", ("columns", name))
            columns[name] = pa.nulls(rows, kind)
            continue
        if not _is_taken(schema.field(name).type, canonical(sql_type)):
            raise Problem(422, f"expected a column of the type {kind}, or one that it holds", ("columns", name))
        parts, start = [], 0
        for batch in batches:
            part = batch.column(name)
            if _is_text(part.type):
                left -= _text_bytes(part)
                if left < 0:
                    raise Problem(413, f"the texts take more than {most_bytes} bytes; send fewer rows at a time")
            parts.append(_checked(part, kind, name, start, name in fields.required))
            start += len(part)
        columns[name] = pa.chunked_array(parts, kind).combine_chunks()
    return pa.table(columns)


def check_times(table: pa.Table, name: str, as_of: dt.datetime, default: dt.datetime) -> pa.Table:
    """Complete the prediction times, which are a column. Raises Problem 422 where one lies before what the release knows."""
    column = table.column(name)
    _refuse(
        pc.less(column, pa.scalar(as_of, column.type)), f"lies before the release's as_of, {as_of.isoformat()}", name, 0
    )
    place = table.column_names.index(name)
    return table.set_column(place, name, pc.fill_null(column, pa.scalar(default, column.type)))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        # Arrow has no way from a dictionary of views to its texts.
        return bool(pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type))
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_taken(found: pa.DataType, name: str) -> bool:
    """Whether a column of a type may hold values of an SQL type, which its name says."""
    if pa.types.is_null(found):
        return True
    if name == "VARCHAR":
        return _is_text(found)
    if name in ("DOUBLE", "FLOAT"):
        return bool(pa.types.is_floating(found) or pa.types.is_integer(found))
    if name in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"):
        return pa.types.is_timestamp(found) and (found.tz is not None) == (name != "TIMESTAMP")
    if name.startswith("DECIMAL"):
        # Arrow's cast trusts a scale that the stream made up, and crashes.
        return bool(pa.types.is_integer(found) or (pa.types.is_decimal(found) and 0 <= found.scale <= found.precision))
    return bool(pa.types.is_integer(found) if name in INTEGERS else found == arrow_type(name))


def _text_bytes(column: pa.Array) -> int:
    """The bytes of a column's texts once each row has its own, where rows may share one now."""
    if pa.types.is_dictionary(column.type):
        lengths = pa.array(_lengths(column.dictionary)).take(column.indices)
        return int(pc.sum(lengths).as_py() or 0)
    return int(_lengths(column).sum())


def _lengths(column: pa.Array) -> npt.NDArray[np.int64]:
    """The bytes of each text."""
    if pa.types.is_string_view(column.type):
        # A view of 16 bytes begins with the length; that of a null is anything.
        lengths = _views(column).view(np.int32)[:, 0].astype(np.int64)
        return np.where(column.is_valid().to_numpy(zero_copy_only=False), lengths, 0)
    return np.asarray(pc.fill_null(pc.binary_length(column), 0)).astype(np.int64)


def _views(column: pa.Array) -> npt.NDArray[np.int64]:
    """The views of texts, 16 bytes each, as two numbers."""
    count = 2 * (column.offset + len(column))
    views = np.frombuffer(column.buffers()[1] or b"", np.int64, count if column.buffers()[1] else 0)
    return views.reshape(-1, 2)[column.offset :]


def _checked(column: pa.Array, kind: pa.DataType, name: str, start: int, is_required: bool) -> pa.Array:
    """A part of a column, from the row `start` on, as a type. Raises Problem."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string_view(column.type) and column.null_count:
        column = _without_views_of_nulls(column)
    if is_required and column.null_count:
        _refuse(column.is_null(), "must not be null", name, start)
    found = _cast(column, kind)
    if found is None:
        row = _first(lambda part: _cast(part, kind) is None, column)
        raise Problem(422, f"expected a value that {kind} holds exactly", ("instances", start + row, name))
    for is_wrong, message in _wrong(found, kind):
        _refuse(is_wrong, message, name, start)
    return found


def _without_views_of_nulls(column: pa.Array) -> pa.Array:
    """Texts as views, empty ones where there is null: what stands there is not validated, and Arrow's cast trusts its length."""
    is_null = column.is_null().to_numpy(zero_copy_only=False)
    views = _views(column).copy()
    views[is_null] = 0
    buffers = [pa.array(~is_null).buffers()[1], pa.py_buffer(views), *column.buffers()[2:]]
    return pa.Array.from_buffers(column.type, len(column), buffers)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """A column as a type; None where a value would be lost."""
    try:
        if pa.types.is_decimal(kind) and pa.types.is_integer(column.type):
            # Otherwise the type of the integers is held against the digits, not the integers.
            column = column.cast(pa.decimal128(38, 0))
        found = column.cast(kind)
    except pa.ArrowInvalid:
        return None
    if (
        kind == pa.float32()
        and column.type == pa.float64()
        and pc.any(pc.not_equal(found.cast(column.type), column)).as_py()
    ):
        return None
    return found


def _wrong(column: pa.Array, kind: pa.DataType) -> Iterable[tuple[pa.Array, str]]:
    """Which values of a type no request carries, and why."""
    if pa.types.is_string(kind):
        yield pc.greater(pc.utf8_length(column), MAX_CHARACTERS), f"expected at most {MAX_CHARACTERS} characters"
        yield pc.match_substring(column, "\0"), "expected a string without NUL"
    elif pa.types.is_floating(kind):
        yield pc.invert(pc.is_finite(column)), "expected a finite number"
    elif pa.types.is_timestamp(kind):
        yield _outside(column.view(pa.int64()), _FIRST_TIME, _LAST_TIME), "expected a time in the years 1 to 9999"
    elif pa.types.is_date(kind):
        yield _outside(column.view(pa.int32()), _FIRST_DAY, _LAST_DAY), "expected a date in the years 1 to 9999"


def _outside(column: pa.Array, first: int, last: int) -> pa.Array:
    return pc.or_(pc.less(column, first), pc.greater(column, last))


def _refuse(is_wrong: pa.Array | pa.ChunkedArray, message: str, name: str, start: int) -> None:
    """Raise Problem for the first row that is wrong."""
    row = pc.index(is_wrong, True).as_py()
    if row >= 0:
        raise Problem(422, message, ("instances", start + row, name))


def _first(fails: Callable[[pa.Array], bool], column: pa.Array) -> int:
    """The first row of a column that fails, of which one does: by halves."""
    start, count = 0, len(column)
    while count > 1:
        half = count // 2
        if not fails(column.slice(start, half)):
            start, half = start + half, count - half
        count = half
    return start
