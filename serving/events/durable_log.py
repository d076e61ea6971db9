"""The log of what clients send to be kept: pushed rows and outcomes, on the disk before they are acknowledged."""

import asyncio
import logging
from pathlib import Path

from serving.events.event_file import EventFile
from serving.metrics.metrics import Metrics
from serving.problems import Problem

MAX_WAITING_BYTES = 64 * 1024 * 1024
"""The most that waits for the disk; past it a request is refused."""
RETRY_SECONDS = 1

logger = logging.getLogger("serving")


class DurableLog:
    """Appends with group commit: all that wait are written with one write and one fsync, in a thread.

    Nothing that was acknowledged is lost, in a killed process or a power cut. What was refused may be in the file all the
    same, in whole or in part, as with any answer that a client does not get. For one event loop.
    """

    def __init__(self, folder: Path, metrics: Metrics) -> None:
        self.problem: str | None = None
        self._folder = folder
        self._file = EventFile(folder)
        self._metrics = metrics
        self._waiting: list[tuple[bytes, asyncio.Future[str | None]]] = []
        self._waiting_bytes = 0
        self._commits: asyncio.Task[None] | None = None

    async def append(self, content: bytes, count: int) -> None:
        """Append whole lines, which hold `count` events, and return when they are on the disk.

        Raises Problem 503 where the disk refuses them, or too much waits for it.
        """
        if self._waiting_bytes + len(content) > MAX_WAITING_BYTES:
            self._refuse(count, "too much waits for the disk")
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((content, done))
        self._waiting_bytes += len(content)
        if self._commits is None or self._commits.done():
            self._commits = asyncio.create_task(self._commit())
        reason = await done
        if reason is not None:
            self._refuse(count, reason)
        self._metrics.counter("eiderdown_events", kind=self._folder.name).add(count)

    async def close(self) -> None:
        """Close the file, when what waits has been written."""
        if self._commits is not None:
            await self._commits
        self._file.close()

    async def _commit(self) -> None:
        while self._waiting:
            batch, self._waiting, self._waiting_bytes = self._waiting, [], 0
            reason = await asyncio.to_thread(self._write, b"".join(content for content, _ in batch))
            self._say(reason)
            for _, done in batch:
                # A client that has gone no longer waits.
                if not done.done():
                    done.set_result(reason)

    def _write(self, content: bytes) -> str | None:
        """What went wrong, or None."""
        try:
            self._file.write(content)
            self._file.sync()
        except OSError as error:
            return error.strerror or "write failed"
        return None

    def _say(self, reason: str | None) -> None:
        problem = None if reason is None else f"{self._folder}: {reason}; what is sent to be kept there is refused"
        if problem is not None and problem != self.problem:
            logger.error({"event": "events_refused", "problem": problem})
        self.problem = problem

    def _refuse(self, count: int, reason: str) -> None:
        self._metrics.counter("eiderdown_event_failures", kind=self._folder.name).add(count)
        raise Problem(503, f"nothing was kept: {reason}; send it again later", retry_after=RETRY_SECONDS)
