"""The numbers of several worker processes, exchanged through files: each worker writes its own, and reads the others'.

The folder is made by whoever starts the workers (serving/process/workers.py), is theirs alone, and goes with them. A worker
writes `<process id>.json`, whole or not at all. The file of a worker that died stays, so that what was counted never goes
back; who started it marks it with `<process id>.dead`.
"""

import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

Numbers = dict[tuple[str, tuple[str, ...]], list[float]]
"""What a process counted: the numbers of each series, by metric and values of its labels."""

FOLDER_VARIABLE = "EIDERDOWN_RUN_FOLDER"
SECONDS_BETWEEN = 1.0
_DEAD = ".dead"

logger = logging.getLogger("serving")


class Snapshots:
    """One worker's file, and the files of the others."""

    def __init__(self, folder: Path, process: int) -> None:
        self._folder = folder
        self._path = folder / f"{process}.json"
        self._written = b""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def from_environment(cls) -> "Snapshots | None":
        """Where whoever started this process said, None of a process that serves alone."""
        folder = os.environ.get(FOLDER_VARIABLE)
        return cls(Path(folder), os.getpid()) if folder else None

    def start(self, numbers: Callable[[], Numbers]) -> None:
        """Write what `numbers` gives about once a second, where it changed, until `stop`."""
        self.write(numbers())
        self._thread = threading.Thread(target=self._keep_writing, args=(numbers,), name="snapshots", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write a last time."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def write(self, numbers: Numbers) -> None:
        """Write the numbers, where they changed."""
        content = json.dumps([[*key, values] for key, values in numbers.items()]).encode()
        with self._lock:
            if content == self._written:
                return
            aside = self._path.with_suffix(".aside")
            try:
                aside.write_bytes(content)
                aside.replace(self._path)
            except OSError as error:
                logger.error(json.dumps({"event": "metrics_not_shared", "problem": f"{self._path}: {error.strerror}"}))
                return
            self._written = content

    def with_others(self, own: Numbers) -> list[tuple[Numbers, bool]]:
        """Each worker's numbers, and whether it lives; one that died has left what it counted.

        own: of this process. It is written before it is given, so that no worker answers with less afterwards.
        """
        self.write(own)
        others = [path for path in self._folder.glob("*.json") if path != self._path]
        return [(own, True), *((_read(path), not path.with_suffix(_DEAD).exists()) for path in others)]

    def _keep_writing(self, numbers: Callable[[], Numbers]) -> None:
        while not self._stop.wait(SECONDS_BETWEEN):
            self.write(numbers())
        self.write(numbers())


def mark_dead(folder: Path, process: int) -> None:
    """Say that a worker lives no more: what it counted stays, and its gauges go."""
    (folder / f"{process}{_DEAD}").touch()


def _read(path: Path) -> Numbers:
    return {(name, tuple(labels)): values for name, labels, values in json.loads(path.read_bytes())}
