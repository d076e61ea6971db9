"""The online rows of a feature view as one memory-mapped Arrow file, sorted by the hash of the entity's key."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.errors import ReleaseError
from ml.release.keys import key_hash
from ml.release.manifest import HASH_COLUMN
from ml.release.stored_column import StoredColumn


def write_feature_file(rows: pa.Table, entity: list[str], path: Path) -> int:
    """Write one row per entity; the bytes depend on the rows alone, not on their order. Returns the count of rows."""
    keys = list(zip(*(rows.column(name).to_pylist() for name in entity), strict=True))
    hashes = np.array([key_hash(key) for key in keys], dtype=np.uint64)
    order = sorted(range(len(keys)), key=lambda place: (hashes[place], str(keys[place])))
    table = rows.take(pa.array(order, pa.int64())).combine_chunks()
    table = table.add_column(0, HASH_COLUMN, pa.array(hashes[order]))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=max(table.num_rows, 1))
    return len(order)


class FeatureFile:
    """Looks up rows of a feature file by entity key: a binary search in a page-shared array."""

    def __init__(self, path: Path, entity: list[str]) -> None:
        """Map a file that was checked. Raises ReleaseError where it is no feature file."""
        try:
            self.table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
            self.columns = {name: StoredColumn(self.table.column(name)) for name in self.table.column_names}
            self._hashes = self.columns[HASH_COLUMN].values
        except (OSError, pa.ArrowInvalid, KeyError) as error:
            raise ReleaseError(f"{path}: not a feature file ({error}); publish again.") from error
        self._keys = [self.columns[name] for name in entity]

    def find(self, keys: list[tuple[Any, ...]]) -> npt.NDArray[np.int64]:
        """The place of each entity's row in `table`, or -1. A key with a None finds nothing."""
        wanted = np.array([0 if None in key else key_hash(key) for key in keys], np.uint64)
        places: npt.NDArray[np.int64] = self._hashes.searchsorted(wanted)
        for number in self._unsure(keys, wanted, places):
            places[number] = self._first_equal(keys[number], wanted.item(number), places.item(number))
        return places

    def _unsure(
        self, keys: list[tuple[Any, ...]], wanted: npt.NDArray[np.uint64], places: npt.NDArray[np.int64]
    ) -> Iterable[int]:
        """The numbers of the keys that are not known yet to be those of the rows at their places: of many whole numbers few."""
        only = self._keys[0].values
        if len(keys) == 1 or len(self._keys) > 1 or only.dtype != np.int64 or not len(only):
            return range(len(keys))
        try:
            asked = np.array([key[0] for key in keys], np.int64)
        except (TypeError, OverflowError):
            return range(len(keys))
        is_same = (only.take(places, mode="clip") == asked) & (self._hashes.take(places, mode="clip") == wanted)
        unsure: list[int] = (~is_same).nonzero()[0].tolist()
        return unsure

    def _first_equal(self, key: tuple[Any, ...], wanted: int, place: int) -> int:
        """The place of the row with this key among those from a place on that have the wanted hash, or -1."""
        if None in key:
            return -1
        while place < len(self._hashes) and self._hashes.item(place) == wanted:
            for column, value in zip(self._keys, key, strict=True):
                if column.item(place) != value:
                    break
            else:
                return place
            place += 1
        return -1
