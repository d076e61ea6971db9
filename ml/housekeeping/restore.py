"""Checks a backup, and puts one in the place of a home folder: whole or not at all."""

import datetime as dt
import fcntl
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from ml import files
from ml.errors import BackupError
from ml.housekeeping.archive import (
    BLOCK_BYTES,
    CONTENTS,
    Advance,
    Contents,
    HashedReader,
    StoredFile,
    read_contents,
)
from ml.release.lock import publisher_lock
from ml.warehouse import held_by_another

_GREATEST_CONTENTS = 1 << 28


def check_backup(file: Path, progress: Callable[[int], Advance]) -> Contents:
    """What a backup holds, if every file in it is whole. `progress` is as in `write_backup`.

    Raises BackupError where it is no backup, or was altered or cut.
    """
    try:
        return _read(file, None, progress)
    except OSError as error:
        raise BackupError(f"{file}: cannot be read ({error}). Check the path and the disk.") from error


def restore_backup(
    file: Path, home: Path, replace: bool, progress: Callable[[int], Advance]
) -> tuple[Contents, Path | None]:
    """Put what a backup holds in the place of a home folder, which must be absent or empty unless it is to be replaced.

    Everything is written beside it and checked against the contents; then the folder is renamed. One that is replaced is
    renamed, too, and kept: its new place is returned. A kill in between leaves the home as it was, absent, or complete.
    Raises BackupError where the backup is not whole, the home is not empty, another process restores it, or the disk is full.
    """
    # The folder itself, where the home is a link to it: a link cannot be replaced by a folder at once.
    home = home.resolve()
    is_taken = home.exists() and not (home.is_dir() and not any(home.iterdir()))
    if is_taken and not replace:
        raise BackupError(
            f"{home}: is not empty. Restore to another folder with --to, or use --force, which moves it aside and keeps it."
        )
    try:
        with _aside(home) as written:
            contents = _read(file, written, progress)
            with _not_in_use(home):
                moved = _move_aside(home) if is_taken else None
                files.adopt(written, home)
    except OSError as error:
        raise BackupError(
            f"{home}: the backup could not be restored ({error}). Make room or mend the disk, and run this again."
        ) from error
    return contents, moved


@contextmanager
def _aside(home: Path) -> Iterator[Path]:
    """An empty folder beside a home, for one process at a time. What a killed one left in it goes; it goes at the end."""
    written = home.with_name(f".aside-restore-{home.name}")
    written.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(written, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in written.iterdir():
            files.remove(path)
        try:
            yield written
        finally:
            if written.exists():
                files.remove(written)
    except BlockingIOError:
        raise BackupError(f"{home}: is being restored by another process; wait until it ends.") from None
    finally:
        os.close(descriptor)


@contextmanager
def _not_in_use(home: Path) -> Iterator[None]:
    """Neither dbt nor a publisher writes in a home. Raises WarehouseError where dbt does."""
    with ExitStack() as stack:
        for database in home.glob("*.duckdb"):
            # The lock that DuckDB takes, without DuckDB: the file may be damaged, which is what backups are for.
            opened = stack.enter_context(database.open("r+b"))
            try:
                fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                raise held_by_another(database) from None
        if (home / "releases").is_dir():
            stack.enter_context(publisher_lock(home / "releases"))
        yield


def _move_aside(home: Path) -> Path:
    moved = home.with_name(f"{home.name}-before-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S%fZ}")
    home.rename(moved)
    return moved


def _read(file: Path, folder: Path | None, progress: Callable[[int], Advance]) -> Contents:
    """Check a backup member by member, and write the files to a folder if one is given."""
    if not file.is_file():
        raise BackupError(f"{file}: no such file; check the path.")
    try:
        with file.open("rb") as opened, tarfile.open(fileobj=opened, mode="r:") as archive:
            contents = _contents(archive)
            advance = progress(contents.size_bytes)
            for stored in contents.files:
                _read_member(archive, stored, folder, advance)
            _check_end(archive, opened)
    except (tarfile.TarError, ValueError) as error:
        raise BackupError(f"{file}: is no backup, or no whole one ({error}); use another one.") from None
    except BackupError as error:
        raise BackupError(f"{file}: {error}") from None
    if folder is not None:
        for path in [*folder.rglob("*"), folder]:
            if path.is_dir():
                files.sync(path)
    return contents


def _contents(archive: tarfile.TarFile) -> Contents:
    first = archive.next()
    opened = archive.extractfile(first) if first is not None and first.isreg() else None
    if first is None or opened is None or first.name != CONTENTS or first.size > _GREATEST_CONTENTS:
        raise BackupError(f"does not begin with {CONTENTS}, so it is no backup; use another file.")
    return read_contents(opened.read())


def _read_member(archive: tarfile.TarFile, stored: StoredFile, folder: Path | None, advance: Advance) -> None:
    """Check that the next member is the file that the contents name, and write it if a folder is given."""
    info = archive.next()
    if info is None or (info.name, info.size) != (stored.path, stored.size) or not info.isreg() or info.issparse():
        found = "ends" if info is None else f"holds {info.name}"
        raise BackupError(f"{found} where {stored.path} with {stored.size} bytes is to follow; use another backup.")
    opened = archive.extractfile(info)
    assert opened is not None
    reader = HashedReader(opened, stored.size, advance)
    with _written(stored, folder) as write:
        while block := reader.read(BLOCK_BYTES):
            write(block)
    if reader.sha256() != stored.sha256:
        raise BackupError(f"{stored.path} in it was altered; use another backup.")


@contextmanager
def _written(stored: StoredFile, folder: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Takes a file's bytes: writes them durably, or drops them where no folder is given."""
    if folder is None:
        yield len
        return
    final = folder / stored.path
    final.parent.mkdir(parents=True, exist_ok=True)
    with final.open("xb") as opened:
        yield opened.write
    final.chmod(stored.mode)
    files.sync(final)


def _check_end(archive: tarfile.TarFile, opened: IO[bytes]) -> None:
    """After the last member come zeros alone, up to a whole record."""
    if (strange := archive.next()) is not None:
        raise BackupError(f"holds {strange.name}, which its contents do not name; use another backup.")
    last = archive.getmembers()[-1]
    end = last.offset_data + -(-last.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    size = -(-(end + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE
    opened.seek(end)
    if opened.read(size - end + 1) != bytes(size - end):
        raise BackupError("does not end as a backup does; use another one.")
