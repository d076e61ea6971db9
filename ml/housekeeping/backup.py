"""A backup of the home folder, taken while servers go on."""

import dataclasses
import datetime as dt
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import IO, cast

import duckdb

from ml import files
from ml.errors import BackupError
from ml.housekeeping.archive import BLOCK_BYTES, CONTENTS, Advance, Contents, HashedReader, StoredFile
from ml.release import lock
from ml.warehouse import HeldWarehouse

# In the order in which they are copied; events last, since servers go on writing them.
FOLDERS = ("raw", "artifacts", "releases", "events")
UNREAD = "0" * 64


def write_backup(
    warehouse: HeldWarehouse, home: Path, file: Path, overwrite: bool, progress: Callable[[int], Advance]
) -> Contents:
    """Write the whole state of a home folder as one file, for who holds the warehouse's lock and the publisher's.

    It appears whole or not at all. Of a file of events everything up to the end of its last line is taken, at one moment
    for all of them. `progress` is called with the count of bytes, and what it returns for each block that was copied.
    Raises BackupError where the file is there already or lies in the home folder, the home holds a link, a file changes
    while it is copied, or the disk is full.
    """
    if file.exists() and not overwrite:
        raise BackupError(f"{file}: is there already. Choose another name, or overwrite it with --force.")
    if not file.parent.is_dir():
        raise BackupError(f"{file.parent}: no such folder; make it first.")
    if file.resolve().is_relative_to(home.resolve()):
        raise BackupError(f"{file}: lies in the home folder, which it is to hold; choose a place outside of {home}.")
    warehouse.connection.execute("checkpoint")
    written = files.aside(file)
    try:
        contents = _describe(warehouse, home)
        with written.open("xb") as opened:
            copied = _copy(opened, warehouse, home, contents, progress(contents.size_bytes))
        files.adopt(written, file)
    except OSError as error:
        raise BackupError(
            f"{file}: the backup could not be written ({error}). Make room or mend the disk, and run this again."
        ) from error
    finally:
        written.unlink(missing_ok=True)
    return copied


def _describe(warehouse: HeldWarehouse, home: Path) -> Contents:
    """What is to be copied, with sizes; the digests are known when it has been."""
    paths = [path for name in FOLDERS for path in _files(home / name)]
    sizes = {path: path.stat().st_size for path in paths}
    stored = [
        StoredFile(
            path=path.relative_to(home).as_posix(),
            size=_whole_lines(path, size) if path.is_relative_to(home / "events") else size,
            mode=path.stat().st_mode & 0o777,
            sha256=UNREAD,
        )
        for path, size in sizes.items()
    ]
    database = os.fstat(warehouse.file.fileno())
    return Contents(
        created_at=dt.datetime.now(dt.UTC).isoformat(),
        platform=version("eiderdown"),
        duckdb=duckdb.__version__,
        warehouse=warehouse.path.name,
        files=[StoredFile(warehouse.path.name, database.st_size, database.st_mode & 0o777, UNREAD), *stored],
    )


def _files(folder: Path) -> Iterator[Path]:
    """The files of a folder, but for locks and what is not in its place. Raises BackupError for anything else."""
    for path in [folder, *sorted(folder.rglob("*"))]:
        if path.is_symlink() or (path.exists() and not (path.is_dir() or path.is_file())):
            raise BackupError(
                f"{path}: is a link or no plain file, which a backup cannot hold; put a file or folder there."
            )
        if path.is_file() and path.name != lock.NAME and not files.is_aside(path.relative_to(folder)):
            yield path


def _whole_lines(path: Path, size: int) -> int:
    """How many of the first bytes of a file are whole lines."""
    with path.open("rb") as file:
        end = size
        while end:
            start = max(end - BLOCK_BYTES, 0)
            file.seek(start)
            if (place := file.read(end - start).rfind(b"\n")) >= 0:
                return start + place + 1
            end = start
    return 0


def _copy(opened: IO[bytes], warehouse: HeldWarehouse, home: Path, contents: Contents, advance: Advance) -> Contents:
    """Write the archive. The contents are written once more, in their place, when the digests are known."""
    copied = []
    text = contents.to_json()
    with tarfile.open(fileobj=opened, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(_member(CONTENTS, len(text), 0o444), io.BytesIO(text))
        for stored in contents.files:
            if stored.path == contents.warehouse:
                # Not opened by its name: closing that would give the lock back.
                source: AbstractContextManager[IO[bytes]] = nullcontext(warehouse.file)
            else:
                source = (home / stored.path).open("rb")
            with source as file:
                file.seek(0)
                reader = HashedReader(file, stored.size, advance)
                archive.addfile(_member(stored.path, stored.size, stored.mode), cast(IO[bytes], reader))
            copied.append(dataclasses.replace(stored, sha256=reader.sha256()))
    complete = dataclasses.replace(contents, files=copied)
    # As long as before: a digest is 64 digits. The header of the first member is one block.
    opened.seek(tarfile.BLOCKSIZE)
    opened.write(complete.to_json())
    return complete


def _member(path: str, size: int, mode: int) -> tarfile.TarInfo:
    """How a file stands in the archive. Whose it is stays out of it."""
    info = tarfile.TarInfo(path)
    info.size, info.mode = size, mode
    return info
