"""What a release shares with the one before it: files that were checked, and what was loaded from the same content."""

import weakref
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

from ml import files
from ml.errors import ReleaseError

T = TypeVar("T")


class LoadedParts:
    """What was loaded from files, by their content; a part is kept for as long as a release holds it.

    A decision by hand publishes a release with the feature files and the artifacts of the one before it, the former as hard
    links. So a file that was checked under another name is not read again, and what was loaded from the same bytes, such as
    a scorer, is not loaded again. For one thread: the one that loads releases.
    """

    def __init__(self) -> None:
        self._parts: weakref.WeakValueDictionary[tuple[Hashable, ...], Any] = weakref.WeakValueDictionary()
        self._checked: dict[tuple[int, int, int, int], str] = {}

    def part(self, sha256: str, path: Path, load: Callable[[Path], T], *also: Hashable) -> T:
        """The part that `load` makes of a file with this content.

        also: what else the part depends on, such as a signature. Raises ReleaseError where the file is missing or altered, and
        what `load` raises.
        """
        self.check(sha256, path)
        key = (sha256, *also)
        found: T | None = self._parts.get(key)
        if found is None:
            found = self._parts[key] = load(path)
        return found

    def check(self, sha256: str, path: Path) -> None:
        """Compare a file with its SHA-256, unless this very file was: the same inode, size and time of change.

        Raises ReleaseError where it is missing or altered.
        """
        try:
            state = path.stat()
            file = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
            if self._checked.get(file) == sha256:
                return
            found = files.sha256(path)
        except OSError as error:
            raise ReleaseError(f"{path}: missing or unreadable ({error.strerror}); publish again.") from error
        if found != sha256:
            raise ReleaseError(f"{path}: missing or altered; publish again.")
        self._checked[file] = sha256

    def forget_others(self, folder: Path) -> None:
        """Forget the files that are not in a release's folder, once it is loaded."""
        there = {(state.st_dev, state.st_ino) for state in (path.stat() for path in folder.rglob("*"))}
        self._checked = {file: sha256 for file, sha256 in self._checked.items() if file[:2] in there}
