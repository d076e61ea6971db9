"""A column of a mapped feature file, read row by row without Arrow's cost for each value."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.expressions.column import Column, from_arrow
from ml.expressions.types import Type

Places = npt.NDArray[np.int64]

# What stands for a date or time in the arrays of ml.expressions.
_INTEGERS_OF_TIMES = {pa.date32(): np.int32, pa.timestamp("us"): np.int64, pa.timestamp("us", tz="UTC"): np.int64}


class StoredColumn:
    """The values of an Arrow column in the pages of its file: nothing is copied but what is taken.

    values: of numbers and times (as integers, see ml.expressions.types), the array itself.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self.type = column.type
        self._array = column.chunk(0) if column.num_chunks else pa.array([], column.type)
        self.values: npt.NDArray[Any] = np.empty(0)
        self._valid: npt.NDArray[np.uint8] | None = None
        if self._array.null_count:
            self._valid = np.frombuffer(self._array.buffers()[0], np.uint8)
        self._take, self.item = self._readers()

    def take(self, places: Places) -> Column:
        """The values at places, as ml.expressions has them. Of scalar types; there must be a row."""
        values = self._take(places)
        if self._valid is None:
            return Column(values, np.zeros(len(places), np.bool_))
        # Arrow keeps a bit for each row, the lowest first.
        return Column(values, (self._valid[places >> 3] >> (places & 7) & 1) == 0)

    def _readers(self) -> tuple[Callable[[Places], npt.NDArray[Any]], Callable[[int], Any]]:
        """How values at places are taken, and the one at a place, as Python has it; what a null is has no meaning."""
        buffers, count = self._array.buffers(), len(self._array)
        if pa.types.is_integer(self.type) or pa.types.is_floating(self.type):
            self.values = np.frombuffer(buffers[1] or b"", self.type.to_pandas_dtype())[:count]
            return self.values.__getitem__, self.values.item
        if self.type in _INTEGERS_OF_TIMES:
            self.values = np.frombuffer(buffers[1] or b"", _INTEGERS_OF_TIMES[self.type])[:count]
            return (lambda places: self.values[places].astype(np.int64, copy=False)), self._item_by_arrow
        if pa.types.is_boolean(self.type):
            bits = np.frombuffer(buffers[1] or b"", np.uint8)
            return (lambda places: (bits[places >> 3] >> (places & 7) & 1).astype(np.bool_)), self._item_by_arrow
        if pa.types.is_string(self.type):
            return self._texts(np.frombuffer(buffers[1] or b"", np.int32), memoryview(buffers[2] or b""))
        if pa.types.is_decimal(self.type):
            kind = Type("DECIMAL", self.type.precision, self.type.scale)
            return (lambda places: from_arrow(self._array.take(pa.array(places)), kind).values), self._item_by_arrow
        return self._refuse, self._item_by_arrow

    def _texts(
        self, offsets: npt.NDArray[np.int32], content: memoryview
    ) -> tuple[Callable[[Places], npt.NDArray[Any]], Callable[[int], Any]]:
        def item(place: int) -> str:
            return str(content[offsets.item(place) : offsets.item(place + 1)], "utf-8")

        def take(places: Places) -> npt.NDArray[Any]:
            found = np.empty(len(places), object)
            found[:] = [item(place) for place in places.tolist()]
            return found

        return take, item

    def _item_by_arrow(self, place: int) -> Any:
        return self._array[place].as_py()

    def _refuse(self, places: Places) -> npt.NDArray[Any]:
        raise TypeError(f"values of the type {self.type} are not taken as a column")
