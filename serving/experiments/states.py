"""The states of experiments, as whoever learns of them appends them: known to every worker within a second."""

import threading
from collections.abc import Callable
from pathlib import Path

from ml.experiments.states import ExperimentState, follows
from serving.events.appended_lines import AppendedLines
from serving.metrics.metrics import Metrics
from serving.process.repeating import Repeating

SECONDS_BETWEEN_READS = 0.2

Take = Callable[[ExperimentState], None]


class States:
    """Follows `events/experiments`, and tells those that are served what is new."""

    def __init__(self, folder: Path, metrics: Metrics) -> None:
        self.known: dict[str, ExperimentState] = {}
        """By fingerprint."""
        self._metrics = metrics
        self._lines = AppendedLines(folder)
        self._served: dict[str, Take] = {}
        self._reading = threading.Lock()
        self._following = Repeating("experiments", SECONDS_BETWEEN_READS, self.read)

    @property
    def problem(self) -> str | None:
        """Why a file of states could not be read."""
        problem = self._lines.problem
        return f"{problem}; experiments may go by older weights" if problem else None

    def start(self) -> None:
        """Read what there is, then follow in a thread."""
        self.read()
        self._following.start()

    def stop(self) -> None:
        """End the thread."""
        self._following.stop()

    def read(self) -> None:
        """Take what was appended since the last time."""
        with self._reading:
            for line in self._lines.read():
                state = ExperimentState.parse(line)
                if state is None:
                    self._metrics.counter("eiderdown_torn_lines", kind="experiments").add()
                elif follows(state, self.known.get(state.fingerprint)):
                    self.known[state.fingerprint] = state
                    if take := self._served.get(state.fingerprint):
                        take(state)

    def serve(self, experiments: dict[str, Take]) -> None:
        """Tell these from now on, by their fingerprints, and at once what is known."""
        with self._reading:
            self._served = experiments
            for fingerprint, take in experiments.items():
                if fingerprint in self.known:
                    take(self.known[fingerprint])
