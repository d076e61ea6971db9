"""The event log: what was predicted, appended as JSON lines that the next `dbt run` reads."""

import datetime as dt
import json
import logging
import os
import threading
import uuid
from pathlib import Path
from typing import Any

from serving.metrics import Metrics

logger = logging.getLogger("serving")


class EventLog:
    """Appends to a file of this process alone, one write for each request, before the request is answered.

    A line that could not be written whole is counted and logged; the prediction is answered all the same, and what comes
    next starts on a line of its own.
    """

    def __init__(self, folder: Path, metrics: Metrics) -> None:
        day = dt.datetime.now(dt.UTC).strftime("%Y%m%d")
        self.path = folder / f"{day}-{uuid.uuid4().hex}.jsonl"
        self.problem: str | None = None
        self._metrics = metrics
        self._lock = threading.Lock()
        self._is_torn = False
        self._descriptor: int | None = None

    def append(self, events: list[dict[str, Any]]) -> None:
        """Append events, each a mapping that JSON can hold."""
        lines = "".join(f"{json.dumps(event, separators=(',', ':'), allow_nan=False)}\n" for event in events).encode()
        with self._lock:
            content = b"\n" + lines if self._is_torn else lines
            try:
                written = os.write(self._open(), content)
            except OSError as error:
                self._fail(len(events), error.strerror or "write failed")
                return
            self._is_torn = written < len(content)
            if self._is_torn:
                self._fail(len(events), "the disk took only a part")
            else:
                self.problem = None
                self._metrics.counter("eiderdown_events", kind="predictions").add(len(events))

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _open(self) -> int:
        """The file, made with the first event: a server that predicts nothing leaves none."""
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        return self._descriptor

    def _fail(self, count: int, reason: str) -> None:
        self.problem = f"{self.path}: {reason}; predictions are answered but not logged"
        self._metrics.counter("eiderdown_event_failures", kind="predictions").add(count)
        logger.error(json.dumps({"event": "events_not_logged", "count": count, "problem": self.problem}))
