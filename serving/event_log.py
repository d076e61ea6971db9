"""The event log of predictions: lines that the next `dbt run` reads."""

import logging
import threading
from pathlib import Path

from serving.event_file import EventFile
from serving.metrics import Metrics

logger = logging.getLogger("serving")


class EventLog:
    """Appends before a request is answered, with one write and without fsync: a killed process loses nothing that was
    answered, a power cut may lose what the kernel had not yet written.

    What the disk does not take is counted, said in `problem` and logged once; predictions are answered all the same, and the
    log goes on when there is room.
    """

    def __init__(self, folder: Path, metrics: Metrics) -> None:
        self.problem: str | None = None
        self._folder = folder
        self._file = EventFile(folder)
        self._metrics = metrics
        self._lock = threading.Lock()

    @property
    def path(self) -> Path | None:
        """The file that is written; None before the first event."""
        return self._file.path

    def append(self, content: bytes, count: int) -> None:
        """Append whole lines, which hold `count` predictions. Raises nothing. For many threads."""
        with self._lock:
            try:
                self._file.write(content)
            except OSError as error:
                self._fail(count, error.strerror or "write failed")
            else:
                self.problem = None
                self._metrics.counter("eiderdown_events", kind=self._folder.name).add(count)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _fail(self, count: int, reason: str) -> None:
        self._metrics.counter("eiderdown_event_failures", kind=self._folder.name).add(count)
        problem = f"{self._folder}: {reason}; predictions are answered but not logged"
        if problem != self.problem:
            logger.error({"event": "events_not_logged", "problem": problem})
        self.problem = problem
