"""Starts the processes beside the server that its experiments need, and again those that have ended."""

import logging
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable

from ml.experiments.declaration import LEARNING
from serving.experiments.beside import KINDS, the_only_one
from serving.process.repeating import Repeating
from serving.releases.served_release import ServedRelease

SECONDS_BETWEEN_LOOKS = 0.5
MOST_SECONDS = 60.0
"""Between two starts of a process that fails. One that lived for longer is started again soon."""

logger = logging.getLogger("serving")


class Companions:
    """Has one process of each kind that is needed in the home; of several servers, any starts it. Mostly none is needed."""

    def __init__(self, release: Callable[[], ServedRelease | None]) -> None:
        self._release = release
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._failures = dict.fromkeys(KINDS, 0)
        self._begun = dict.fromkeys(KINDS, -math.inf)
        self._problem = ""
        self._keeping = Repeating("companions", SECONDS_BETWEEN_LOOKS, self._keep)
        # The processes hold the one end of the pipe, and this one the other, which closes with it.
        self._reading, self._writing = os.pipe()

    def start(self) -> None:
        """Begin to look what is needed."""
        self._keeping.start()

    def stop(self) -> None:
        """End the processes."""
        self._keeping.stop()
        os.close(self._writing)
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait()
        os.close(self._reading)

    def _needed(self) -> set[str]:
        release = self._release()
        policies = {one.spec.policy for one in release.experiments.values()} if release else set()
        found = {"learner"} if policies & set(LEARNING) else set()
        return found | ({"shadow"} if "shadow" in policies else set())

    def _keep(self) -> None:
        try:
            self._look()
            self._problem = ""
        except OSError as error:
            # What the home or the machine refuses now, it may give later.
            if str(error) != self._problem:
                self._problem = str(error)
                logger.error({"event": "companion_not_started", "problem": self._problem})

    def _look(self) -> None:
        """Start what is needed, and end what is not. Raises OSError."""
        needed = self._needed()
        for kind in KINDS:
            process = self._running.get(kind)
            if process is not None and process.poll() is not None:
                if process.returncode:
                    is_late = time.monotonic() - self._begun[kind] > MOST_SECONDS
                    self._failures[kind] = 1 if is_late else self._failures[kind] + 1
                    logger.error({"event": "companion_ended", "kind": kind, "status": process.returncode})
                del self._running[kind]
            elif process is not None and kind not in needed:
                process.terminate()
                process.wait()
                del self._running[kind]
            elif process is None and kind in needed and time.monotonic() >= self._begun[kind] + self._pause(kind):
                self._begin(kind)

    def _pause(self, kind: str) -> float:
        """Seconds from one start to the next: one that ends at once, again and again, is to cost little."""
        return min(2.0 ** self._failures[kind], MOST_SECONDS) if self._failures[kind] else 0.0

    def _begin(self, kind: str) -> None:
        with the_only_one(kind) as is_free:
            if not is_free:
                return
        self._begun[kind] = time.monotonic()
        self._running[kind] = subprocess.Popen(
            [sys.executable, "-P", "-m", "serving.experiments.beside", kind, str(self._reading)],
            stdin=subprocess.DEVNULL,
            pass_fds=[self._reading],
            # A group of its own: Ctrl+C in a terminal reaches the server alone.
            process_group=0,
        )
