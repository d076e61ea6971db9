"""The format of a backup: a plain tar whose first member says what the others are.

    eiderdown-backup.json     Contents, as JSON
    <path under the home>     each file of it, in that order, a regular file

Nothing is compressed: Parquet, Arrow and DuckDB's own files would hardly shrink.
"""

import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from ml.errors import BackupError

FORMAT = 1
CONTENTS = "eiderdown-backup.json"
BLOCK_BYTES = 1 << 20

Advance = Callable[[int], object]


@dataclass(frozen=True)
class StoredFile:
    """A file of the home folder. path: below it, with slashes; mode: its permissions; sha256: in hex."""

    path: str
    size: int
    mode: int
    sha256: str


@dataclass(frozen=True)
class Contents:
    """What a backup holds, when it was made (ISO 8601) and by which versions. warehouse: the path of the DuckDB file."""

    created_at: str
    platform: str
    duckdb: str
    warehouse: str
    files: list[StoredFile]

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(file.size for file in self.files)

    def to_json(self) -> bytes:
        """As it is stored."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=1).encode()


def read_contents(text: bytes) -> Contents:
    """The stored contents. Raises BackupError where they are of another format, or a path could lead out of a folder."""
    try:
        stored = json.loads(text)
        if stored.pop("format") != FORMAT:
            raise BackupError("it was written by another version of the platform; restore it with that one.")
        contents = Contents(**stored | {"files": [StoredFile(**file) for file in stored["files"]]})
        dt.datetime.fromisoformat(contents.created_at)
        paths = [PurePosixPath(file.path) for file in contents.files]
        is_sound = (
            all(_is_sound(path, file.path) for path, file in zip(paths, contents.files, strict=True))
            and len(set(paths)) == len(paths)
            and not set(paths) & {parent for path in paths for parent in path.parents}
            and all(type(file.size) is type(file.mode) is int and file.size >= 0 for file in contents.files)
            and all(file.mode == file.mode & 0o777 for file in contents.files)
            and all(len(file.sha256) == 64 for file in contents.files)
            and contents.warehouse in {file.path for file in contents.files}
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{CONTENTS} in it cannot be read ({type(error).__name__}); use another backup.") from None
    if not is_sound:
        raise BackupError(f"{CONTENTS} in it names files as no backup does; use another one.")
    return contents


def _is_sound(path: PurePosixPath, text: str) -> bool:
    """Whether a path is plain, and below the folder that it is put in."""
    return bool(path.parts) and str(path) == text and path.parts[0] != "/" and not {"..", "\0"} & {*path.parts, *text}


class HashedReader:
    """Reads the first bytes of a file, block by block, and hashes what was read."""

    def __init__(self, file: IO[bytes], size: int, advance: Advance) -> None:
        self._file, self._left, self._advance = file, size, advance
        self._digest = hashlib.sha256()

    def read(self, count: int) -> bytes:
        """Up to so many bytes more; none at the end."""
        block = self._file.read(min(count, self._left))
        self._left -= len(block)
        self._digest.update(block)
        self._advance(len(block))
        return block

    def sha256(self) -> str:
        """Of what was read so far, in hex."""
        return self._digest.hexdigest()
