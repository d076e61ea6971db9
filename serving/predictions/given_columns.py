"""Instances as Arrow columns: what comes more than once in a block of them is read, and looked up, once."""

import datetime as dt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.expressions.column import Column, from_values, microseconds, objects
from serving.predictions.given import Given
from serving.releases.online_view import Found, OnlineView
from serving.requests.instances import Row

Places = npt.NDArray[np.int64]


class _Distinct(NamedTuple):
    """The values of a column that differ, as Python has them, and the place among them of each row's."""

    values: list[Any]
    codes: Places


class Block:
    """A table whose columns are those of a model's fields, in their order and of their Arrow types. For one thread."""

    def __init__(self, table: pa.Table) -> None:
        self.rows = table.num_rows
        self.columns = [_distinct(column.combine_chunks()) for column in table.columns]
        # No functools.cache: it would make a cycle, which the garbage collector finds late.
        self._read: dict[int, Column] = {}
        self._found: dict[tuple[OnlineView, tuple[int, ...]], tuple[Found, Places]] = {}

    def column(self, place: int, arrow: pa.DataType) -> Column:
        """The values of a field that differ, of the type `arrow`."""
        if place not in self._read:
            self._read[place] = from_values(self.columns[place].values, arrow)
        return self._read[place]

    def find(self, online: OnlineView, key: tuple[int, ...]) -> tuple[Found, Places]:
        """What a view knows of each entity and time that differ, and the place among them of each row's."""
        if (online, key) not in self._found:
            places = [*key, len(self.columns) - 1]
            first, numbers = self._combinations(places)
            *parts, moments = [self._some(place, first) for place in places]
            found = online.find(list(zip(*parts, strict=True)), moments, list(map(microseconds, moments)))
            self._found[online, key] = found, numbers
        return self._found[online, key]

    def _some(self, place: int, rows: Places) -> list[Any]:
        """A column's values in some rows."""
        values, codes = self.columns[place]
        return [values[code] for code in codes[rows].tolist()]

    def _combinations(self, places: list[int]) -> tuple[Places, Places]:
        """A row of each combination of some columns' values that differs, and the place among them of each row's."""
        numbers = np.zeros(self.rows, np.int64)
        first = numbers[:1]
        for place in places:
            values, codes = self.columns[place]
            if len(values) > 1:
                _, first, numbers = np.unique(numbers * len(values) + codes, return_index=True, return_inverse=True)
        return first, numbers


class GivenColumns(Given):
    """Some rows of a block, one after the other."""

    def __init__(self, block: Block, start: int, stop: int) -> None:
        self._block = block
        self._part = slice(start, stop)
        self._rows = stop - start

    def __len__(self) -> int:
        return self._rows

    def column(self, place: int, arrow: pa.DataType) -> Column:
        """See Given."""
        return self._block.column(place, arrow).take(self._block.columns[place].codes[self._part])

    def find(self, online: OnlineView, key: list[int]) -> Found:
        """See Given."""
        found, numbers = self._block.find(online, tuple(key))
        return found.take(numbers[self._part])

    def rows(self) -> list[Row]:
        """The instances as rows of Python values."""
        columns = [objects(values)[codes[self._part]].tolist() for values, codes in self._block.columns]
        return [list(row) for row in zip(*columns, strict=True)]


def _distinct(array: pa.Array) -> _Distinct:
    if pa.types.is_floating(array.type):
        # 0.0 and -0.0 are equal and not the same.
        return _Distinct(array.to_pylist(), np.arange(len(array)))
    encoded = array.dictionary_encode(null_encoding="encode")
    return _Distinct(_python(encoded.dictionary), encoded.indices.to_numpy().astype(np.int64))


def _python(array: pa.Array) -> list[Any]:
    """An Arrow array's values as Python has them; times quicker than Arrow makes them, and in Python's own UTC."""
    if not pa.types.is_timestamp(array.type):
        values: list[Any] = array.to_pylist()
        return values
    zone = dt.UTC if array.type.tz else None
    times = array.to_numpy(zero_copy_only=False).tolist()
    return [None if time is None else time.replace(tzinfo=zone) for time in times]
