"""Files that appear whole or not at all, under the home folder."""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Collection
from pathlib import Path

from ml.errors import ArtifactError

_ASIDE = ".aside-"
_UNREGISTERED = ".unregistered"


def home() -> Path:
    """The folder that holds everything at run time: `EIDERDOWN_HOME`, or `warehouse` where dbt runs."""
    return Path(os.environ.get("EIDERDOWN_HOME", "warehouse"))


def aside(final: Path) -> Path:
    """A place beside `final` to write to before `adopt`; its folder is made."""
    final.parent.mkdir(parents=True, exist_ok=True)
    return final.with_name(f"{_ASIDE}{os.getpid()}-{threading.get_ident()}-{final.name}")


def adopt(written: Path, final: Path) -> str:
    """Put a completely written file (or folder of synced files) in its place, durably. Returns a file's SHA-256 in hex."""
    digest = ""
    if written.is_file():
        sync(written)
        digest = sha256(written)
    written.replace(final)
    sync(final.parent)
    return digest


def write_whole(final: Path, content: bytes) -> str:
    """Write a file so that readers see the old or the new content, never a part. Returns its SHA-256 in hex."""
    written = aside(final)
    written.write_bytes(content)
    return adopt(written, final)


def write_changed(final: Path, content: bytes) -> None:
    """`write_whole`, where the file does not hold the content already."""
    if not final.is_file() or final.read_bytes() != content:
        write_whole(final, content)


def is_aside(path: Path) -> bool:
    """Whether a path is, or lies in, what a writer has not yet put in its place."""
    return any(part.startswith(_ASIDE) for part in path.parts)


def left_aside(folder: Path) -> list[Path]:
    """What writers that were killed left aside, at any depth. For the one writer of the folder only."""
    return [path for path in folder.rglob(f"{_ASIDE}*") if not is_aside(path.parent.relative_to(folder))]


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left aside, at any depth. For the one writer of the folder only."""
    for path in left_aside(folder):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file, a link (and not what it points to), or a folder with all in it."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def note_unregistered(path: Path, table: str) -> None:
    """Note, before a file is written, that a table is to name it: a run that is killed in between leaves an orphan."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / _UNREGISTERED).open("a") as notes:
        notes.write(f"\n{json.dumps([table, path.name])}")


def drop_unregistered(folder: Path, table: str, registered: Collection[str]) -> None:
    """Remove the files that were noted for a table and that it does not name. No other file is touched.

    registered: the paths that the table names.
    """
    if not (folder / _UNREGISTERED).is_file():
        return
    notes = _notes(folder)
    names = {Path(path).name for path in registered}
    for owner, name in notes:
        if owner == table and name not in names:
            (folder / name).unlink(missing_ok=True)
    (folder / _UNREGISTERED).unlink()
    for owner, name in notes:
        if owner != table:
            note_unregistered(folder / name, owner)


def unregistered(folder: Path) -> list[tuple[str, Path]]:
    """What was noted before it was written, at any depth: the table that was to name a file, and the file."""
    return [
        (owner, notes.parent / name) for notes in folder.rglob(_UNREGISTERED) for owner, name in _notes(notes.parent)
    ]


def _notes(folder: Path) -> list[tuple[str, str]]:
    # A line without its end is of a run that was killed before it wrote the file.
    lines = (folder / _UNREGISTERED).read_text().splitlines()
    return [(owner, name) for owner, name in (json.loads(line) for line in lines if line.endswith("]"))]


def sync(path: Path) -> None:
    """Ask the disk to keep a file, or a folder's list of names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checked(path: Path, expected_sha256: str) -> bytes:
    """The bytes of a file, if they are the expected ones.

    Raises ArtifactError where the file is missing or differs: nothing may parse it then.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error.strerror}). Restore it, or train and publish again."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected_sha256:
        raise ArtifactError(
            f"{path}: its SHA-256 is {found}, the record says {expected_sha256}. "
            "The file was altered or torn; restore it, or train and publish again."
        )
    return content
