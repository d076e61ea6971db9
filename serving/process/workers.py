"""Several worker processes on one listening socket: started, started again when one dies, and ended together."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

from uvicorn.config import STARTUP_FAILURE

from serving.metrics.snapshots import FOLDER_VARIABLE, mark_dead
from serving.process.server import FORCED

SECONDS_TO_FAIL = 1.0
"""A worker that lived for less is started again after as long."""

logger = logging.getLogger("serving")


class Workers:
    """Worker processes of a listening socket, which they share: a connection goes to whichever takes it first.

    SIGTERM and SIGINT end them when they have answered what they accepted, a second one at once. They end so too when this
    process is killed. A worker that cannot start ends all, for the next one would not either.
    """

    def __init__(self, listener: socket.socket, count: int) -> None:
        self._listener = listener
        self._count = count
        self._processes: dict[int, Process] = {}
        self._stopping = asyncio.Event()
        self._status = 0

    def run(self) -> int:
        """Run the workers until they are ended. Returns the exit status."""
        return asyncio.run(self._run())

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        # The workers hold the one end of the pipe, and this process the other, which closes with it.
        reading, writing = os.pipe()
        with tempfile.TemporaryDirectory(prefix="eiderdown-") as folder:
            await asyncio.gather(*(self._keep(place, reading, folder) for place in range(self._count)))
        os.close(writing)
        os.close(reading)
        return self._status

    async def _keep(self, place: int, parent: int, folder: str) -> None:
        """Have a worker at a place until all are to end."""
        while not self._stopping.is_set():
            started = time.monotonic()
            process = await self._start(place, parent, folder)
            status = await process.wait()
            if self._stopping.is_set():
                # One that was told before it began to accept knew no better than to die of it.
                self._status = self._status or (0 if status in (0, -signal.SIGTERM) else FORCED)
                return
            mark_dead(Path(folder), process.pid)
            logger.error(json.dumps({"event": "worker_died", "process": process.pid, "status": status}))
            if status == STARTUP_FAILURE:
                self._status = status
                self._stop()
            elif time.monotonic() - started < SECONDS_TO_FAIL:
                await self._wait(SECONDS_TO_FAIL)

    async def _start(self, place: int, parent: int, folder: str) -> Process:
        listener = self._listener.fileno()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "serving.process.worker", str(listener), str(parent)),
            stdin=DEVNULL,
            pass_fds=(listener, parent),
            env=os.environ | {FOLDER_VARIABLE: folder},
            # A group of its own: Ctrl+C in a terminal reaches this process alone, which tells the workers once.
            process_group=0,
        )
        self._processes[place] = process
        if self._stopping.is_set():
            process.terminate()
        return process

    def _stop(self) -> None:
        """Tell the workers to end, and at the second time end them."""
        number = signal.SIGKILL if self._stopping.is_set() else signal.SIGTERM
        self._stopping.set()
        # As long as one process holds the socket open, the kernel accepts connections for it.
        self._listener.close()
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(number)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
