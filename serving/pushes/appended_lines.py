"""What was appended to a folder of event files since it was last read."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 8 * 1024 * 1024
"""Read at a time; also the longest line, which is above a request's greatest body."""
_FINISHED_SECONDS = 2 * 86_400
"""A writer begins a new file each day, so one that is older than this does not grow."""
_TICK_SECONDS = 2.0
"""Above the coarsest clock that stamps a folder: one that has changed so lately may change again within a tick."""


class AppendedLines:
    """Reads complete lines of `*.jsonl` files, each once. When nothing changes it costs a stat of the folder and of each
    file that may grow.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, int] = {}
        """The bytes read of each file, by name."""
        self._growing: set[str] = set()
        self._changed_ns: int | None = None
        self.problem: str | None = None
        """Why a file, or the folder, could not be read the last time. The others are read all the same."""

    def read(self) -> Iterator[bytes]:
        """The lines that are new, without their ends, file by file; none of them is empty."""
        self.problem = None
        try:
            self._list()
        except OSError as error:
            self._fail(self._folder, error)
        for name in sorted(self._growing):
            try:
                yield from self._read_file(name)
            except OSError as error:
                self._fail(self._folder / name, error)

    def _list(self) -> None:
        try:
            changed_ns = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed_ns == self._changed_ns:
            return
        # Names before the time: what is added in between is seen at the next look.
        names = [path.name for path in self._folder.iterdir() if path.suffix == ".jsonl" and path.name[0] != "."]
        self._growing.update(names)
        if time.time() - changed_ns / 1e9 > _TICK_SECONDS:
            self._changed_ns = changed_ns

    def _read_file(self, name: str) -> Iterator[bytes]:
        path = self._folder / name
        try:
            state = path.stat()
        except FileNotFoundError:
            self._growing.discard(name)
            return
        offset = self._read.get(name, 0)
        if state.st_size > offset:
            with path.open("rb") as file:
                while content := self._read_lines(file.fileno(), offset):
                    # Before the lines are handed out: one that cannot be used is not read again and again.
                    offset += len(content)
                    self._read[name] = offset
                    yield from filter(None, content.split(b"\n"))
        if time.time() - state.st_mtime > _FINISHED_SECONDS:
            self._growing.discard(name)

    def _fail(self, path: Path, error: OSError) -> None:
        self.problem = f"{path}: {error.strerror or 'cannot be read'}"

    @staticmethod
    def _read_lines(descriptor: int, offset: int) -> bytes:
        """Complete lines from an offset on; all MOST_BYTES where they hold no end of a line."""
        content = os.pread(descriptor, MOST_BYTES, offset)
        end = content.rfind(b"\n") + 1
        return content[:end] if end or len(content) < MOST_BYTES else content
