"""Pushed rows, kept beside the current release: those of this worker at once, those of others within a second."""

import threading
from collections.abc import Mapping
from pathlib import Path

import orjson

from serving.events.appended_lines import AppendedLines
from serving.metrics.metrics import Metrics
from serving.process.repeating import Repeating
from serving.releases.online_view import OnlineView
from serving.releases.release import Release

SECONDS_BETWEEN_READS = 0.2


class Pushes:
    """Follows the files that all workers push to, and gives each new release what it does not hold.

    A row that is read twice, or was taken already by the worker that it was sent to, changes nothing.
    """

    def __init__(self, folder: Path, metrics: Metrics) -> None:
        self._folder = folder
        self._metrics = metrics
        self._lines = AppendedLines(folder)
        self._views: Mapping[str, OnlineView] = {}
        self._reading = threading.Lock()
        self._following = Repeating("pushes", SECONDS_BETWEEN_READS, self.read)

    @property
    def problem(self) -> str | None:
        """Why a file of pushes could not be read."""
        problem = self._lines.problem
        return f"{problem}; rows that were pushed to other workers may be missing" if problem else None

    def start(self) -> None:
        """Follow the files in a thread."""
        self._following.start()

    def stop(self) -> None:
        """End the thread."""
        self._following.stop()

    def read(self) -> None:
        """Take what was appended since the last time."""
        with self._reading:
            self._take(self._lines, self._views)

    def adopt(self, release: Release, previous: Release | None) -> None:
        """Give a release, before it is served, what was pushed and it does not hold. `previous`: what is served now."""
        if previous is not None and _goes_on_from(release, previous):
            with self._reading:
                for name, view in release.views.items():
                    view.pushed = previous.views[name].pushed.superseded(view.moments)
                self._views = release.views
            return
        # What the previous release held, and so dropped, this one may lack.
        lines = AppendedLines(self._folder)
        self._take(lines, release.views)
        with self._reading:
            self._take(lines, release.views)
            self._lines, self._views = lines, release.views

    def _take(self, lines: AppendedLines, views: Mapping[str, OnlineView]) -> None:
        for line in lines.read():
            try:
                event = orjson.loads(line)
                view = views.get(f"{event['view']}_v{event['version']}")
                if view is not None:
                    view.push(view.contract.read(event["row"]), str(event["logged_at"]), str(event["event_id"]))
            except Exception:
                # Whatever a line holds, the next is read.
                self._metrics.counter("eiderdown_torn_lines", kind="pushes").add()


def _goes_on_from(release: Release, previous: Release) -> bool:
    """Whether a release is a later one of the same views, so that it lacks nothing that the previous one held."""
    is_later = release.as_of >= previous.as_of and release.manifest.created_at > previous.manifest.created_at
    return is_later and all(
        name in previous.views
        and list(view.released.columns.items()) == list(previous.views[name].released.columns.items())
        for name, view in release.views.items()
    )
