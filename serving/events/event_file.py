"""A file of events: JSON lines, appended by one process alone."""

import datetime as dt
import errno
import os
import time
import uuid
from pathlib import Path

from ml import files

MAX_BYTES = 64 * 1024 * 1024
"""Past this a new file is begun."""
_SECONDS_OF_DAY = 86_400


class EventFile:
    """Appends whole lines to a file of its own in `folder`: a new one at start-up, at each UTC day and past MAX_BYTES.

    Names are `<YYYYMMDD>T<HHMMSS>-<32 hex digits>.jsonl`. A file is made with its first line. For one thread at a time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path: Path | None = None
        """The file that is written; None between files."""
        self._descriptor: int | None = None
        self._day = 0.0
        self._size = 0
        self._is_torn = False
        self._is_named = False

    def write(self, content: bytes) -> None:
        """Append lines with one write(2); the kernel has them then, so they outlive the process, not a power cut.

        Raises OSError where the disk does not take all of them. What it took of them is ended by a newline before what
        comes next, so that a reader sees one broken line.
        """
        descriptor = self._open(len(content))
        whole = b"\n" + content if self._is_torn else content
        written = os.write(descriptor, whole)
        self._size += written
        self._is_torn = written < len(whole)
        if self._is_torn:
            raise OSError(errno.ENOSPC, "the disk took only a part")

    def sync(self) -> None:
        """Ask the disk to keep what was written, and the file's name. Raises OSError where it does not.

        The file is left then: after a failed fsync the kernel may hold pages for clean that the disk never got, so a second
        fsync of the same file proves nothing (Rebello et al., Can Applications Recover from fsync Failures?, 2020).
        """
        if self._descriptor is None:
            return
        try:
            os.fsync(self._descriptor)
            if not self._is_named:
                # The folders may be as new as the file: those of the kind, of events, and the home.
                for folder in (self.folder, *self.folder.parents[:2]):
                    files.sync(folder)
                self._is_named = True
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Leave the file; what comes next begins another."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self.path, self._descriptor = None, None

    def _open(self, count: int) -> int:
        """The descriptor of the file that takes `count` bytes more."""
        now = time.time()
        if self._descriptor is not None:
            is_full = self._size > 0 and self._size + count > MAX_BYTES
            if not is_full and self._day == now // _SECONDS_OF_DAY:
                return self._descriptor
            self.close()
        self.folder.mkdir(parents=True, exist_ok=True)
        begun = dt.datetime.fromtimestamp(now, dt.UTC)
        path = self.folder / f"{begun:%Y%m%dT%H%M%S}-{uuid.uuid4().hex}.jsonl"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self.path, self._descriptor, self._day = path, descriptor, now // _SECONDS_OF_DAY
        self._size, self._is_torn, self._is_named = 0, False, False
        return descriptor
