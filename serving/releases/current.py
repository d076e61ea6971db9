"""The current release, replaced while requests go on."""

import logging
import time
from pathlib import Path

from ml.release.manifest import current_release
from serving.experiments.states import States
from serving.metrics.metrics import Metrics
from serving.metrics.refusals import Refusals
from serving.process.repeating import Repeating
from serving.pushes.follow import Pushes
from serving.releases.loaded import LoadedParts
from serving.releases.served_release import ServedRelease
from serving.settings import Settings

RETRY_SECONDS = 5.0

logger = logging.getLogger("serving")


class CurrentRelease:
    """Follows the pointer of the releases folder. A request takes `release` once and keeps it to its end.

    A release that does not load leaves the one before it serving; `problem` says why, until one loads.
    """

    def __init__(
        self, folder: Path, settings: Settings, metrics: Metrics, pushes: Pushes, states: States, refusals: Refusals
    ) -> None:
        self.folder = folder
        self.release: ServedRelease | None = None
        self.problem: str | None = None
        self._failed: str | None = None
        self._retry_at = 0.0
        self._settings = settings
        self._metrics = metrics
        self._pushes = pushes
        self._states = states
        self._refusals = refusals
        self._parts = LoadedParts()
        self._following = Repeating("releases", settings.poll_seconds, self.refresh)

    def start(self) -> None:
        """Load the current release, then follow the pointer in a thread."""
        self.refresh()
        self._following.start()

    def stop(self) -> None:
        """End the thread."""
        self._following.stop()

    def refresh(self) -> None:
        """Load what the pointer names, unless it is what is served or has failed within RETRY_SECONDS."""
        try:
            name = current_release(self.folder)
            if self.release is not None and self.release.name == name:
                self.problem = None
                return
            if name == self._failed and time.monotonic() < self._retry_at:
                return
            self._failed, self._retry_at = name, time.monotonic() + RETRY_SECONDS
            release = ServedRelease(self.folder / name, self._parts, self._settings, self._metrics, self._refusals)
            self._pushes.adopt(release, self.release)
            self._states.serve({one.fingerprint: one.take for one in release.experiments.values()})
            self._parts.forget_others(self.folder / name)
        except Exception as error:
            # Whatever is wrong with a release, the one before it goes on, and so does the thread that looks for the next.
            if self.problem != str(error):
                self.problem = str(error)
                self._metrics.counter("eiderdown_release_failures").add()
                logger.error({"event": "release_not_loaded", "problem": self.problem})
            return
        self.release, self.problem, self._failed = release, None, None
        self._metrics.release_loaded(release.name)
        logger.info({"event": "release_loaded", "release": release.name})
