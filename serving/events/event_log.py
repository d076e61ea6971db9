"""The event log of predictions: lines that the next `dbt run` reads."""

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from serving.events.event_file import EventFile
from serving.metrics.metrics import Metrics

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
        self._events = metrics.counter("eiderdown_events", kind=folder.name)
        self._lock = threading.Lock()
        self._waiting: list[tuple[bytes, int, Callable[[], None]]] = []

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
                self._events.add(count)

    def append_soon(self, content: bytes, count: int, then: Callable[[], None]) -> None:
        """Append whole lines with the event loop's next turn, together with all others that come in this one; `then` is called
        after that. For the event loop's thread."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._append_waiting)
        self._waiting.append((content, count, then))

    @property
    def is_waiting(self) -> bool:
        """Whether lines are to be appended with the next turn."""
        return bool(self._waiting)

    def _append_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.append(b"".join([content for content, _, _ in waiting]), sum(count for _, count, _ in waiting))
        for _, _, then in waiting:
            try:
                then()
            except Exception as error:
                # The others are answered all the same.
                logger.error({"event": "answer_not_sent", "problem": type(error).__name__})

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
