"""The online rows of a feature view as one memory-mapped Arrow file, sorted by the hash of the entity's key."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ml.errors import ReleaseError
from ml.release.keys import key_hash
from ml.release.manifest import HASH_COLUMN


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
            self._hashes = (
                self.table.column(HASH_COLUMN).chunk(0).to_numpy() if self.table.num_rows else np.empty(0, np.uint64)
            )
        except (OSError, pa.ArrowInvalid, KeyError) as error:
            raise ReleaseError(f"{path}: not a feature file ({error}); publish again.") from error
        self._keys = [self.table.column(name) for name in entity]

    def find(self, key: tuple[Any, ...]) -> int:
        """The place of an entity's row in `table`, or -1. A key with a None finds nothing."""
        if any(value is None for value in key):
            return -1
        wanted = np.uint64(key_hash(key))
        place = int(np.searchsorted(self._hashes, wanted))
        while place < len(self._hashes) and self._hashes[place] == wanted:
            if all(column[place].as_py() == value for column, value in zip(self._keys, key, strict=True)):
                return place
            place += 1
        return -1
