"""What was appended to a folder of event files since it was last read."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

MOST_BYTES = 8 * 1024 * 1024
"""Read at a time; also the longest line, which is above a request's greatest body."""
_FINISHED_SECONDS = 2 * 86_400
"""A writer begins a new file each day, so one that is older than this does not grow."""
_TICK_SECONDS = 2.0
"""Above the coarsest clock that stamps a folder: one that has changed so lately may change again within a tick."""


class Line(NamedTuple):
    """A line, without its end: of which file, and at which of its bytes the next one begins."""

    file: str
    next_at: int
    text: bytes


class AppendedLines:
    """Reads complete lines of `*.jsonl` files, each once. When nothing changes it costs a stat of the folder and of each
    file that may grow.
    """

    def __init__(self, folder: Path, read: Mapping[str, int] | None = None, since: float = 0.0) -> None:
        """read: the bytes of files that were read before, by name; since: files that nobody has written to from then on, in
        seconds since 1970, are passed over."""
        self.folder = folder
        self._since = since
        self.bytes_read: dict[str, int] = dict(read or {})
        """Of each file, by name, as far as its lines were handed out, or are about to be."""
        self._growing: set[str] = set()
        self._changed_ns: int | None = None
        self.problem: str | None = None
        """Why a file, or the folder, could not be read the last time. The others are read all the same."""

    def read(self) -> Iterator[bytes]:
        """The lines that are new, without their ends, file by file; none of them is empty."""
        return (line.text for line in self.read_lines())

    def read_lines(self) -> Iterator[Line]:
        """The same, with where they stand."""
        self.problem = None
        try:
            self._list()
        except OSError as error:
            self._fail(self.folder, error)
        for name in sorted(self._growing):
            try:
                yield from self._read_file(name)
            except OSError as error:
                self._fail(self.folder / name, error)

    def _list(self) -> None:
        try:
            changed_ns = self.folder.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed_ns == self._changed_ns:
            return
        # Names before the time: what is added in between is seen at the next look.
        names = [path.name for path in self.folder.iterdir() if path.suffix == ".jsonl" and path.name[0] != "."]
        self._growing.update(names)
        if time.time() - changed_ns / 1e9 > _TICK_SECONDS:
            self._changed_ns = changed_ns

    def _read_file(self, name: str) -> Iterator[Line]:
        path = self.folder / name
        try:
            state = path.stat()
        except FileNotFoundError:
            self._growing.discard(name)
            return
        offset = self.bytes_read.get(name, 0)
        if state.st_size > offset and state.st_mtime >= self._since:
            with path.open("rb") as file:
                while content := self._read_lines(file.fileno(), offset):
                    # Before the lines are handed out: one that cannot be used is not read again and again.
                    start, offset = offset, offset + len(content)
                    self.bytes_read[name] = offset
                    yield from _lines(name, start, content)
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


def _lines(name: str, start: int, content: bytes) -> Iterator[Line]:
    for text in content.split(b"\n"):
        start += len(text) + 1
        if text:
            yield Line(name, start, text)
