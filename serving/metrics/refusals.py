"""Requests that are refused because there are too many."""

import time

from serving.metrics.metrics import Metrics

SECONDS = 5.0
"""For how long after a refusal the server says that it is overloaded."""


class Refusals:
    """Counts refusals by reason; `problem` says that there are some, for readiness."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last = -SECONDS

    def add(self, reason: str) -> None:
        """A request is refused. reason: a word of the server's own, such as 'queue'."""
        self._metrics.counter("eiderdown_refused", reason=reason).add()
        self._last = time.monotonic()

    @property
    def problem(self) -> str | None:
        """What is degraded, None where nothing was refused for SECONDS."""
        if time.monotonic() - self._last >= SECONDS:
            return None
        return f"overloaded: requests were refused within the last {SECONDS:.0f} seconds; add workers or ask less"
