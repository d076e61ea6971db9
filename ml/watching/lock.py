"""One watch at a time over a home folder."""

import datetime as dt
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from ml import files
from ml.errors import EiderdownError


class WatchError(EiderdownError):
    """The watch cannot begin."""


@contextmanager
def watch_lock() -> Iterator[None]:
    """Hold the lock of `watch/lock` in the home folder; it goes with the process. Raises WatchError that says who has it."""
    path = files.home() / "watch" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Opened without truncation: it tells who holds it.
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise WatchError(
                f"{files.home()} is watched already, by {lock.read().strip() or 'a process that is just starting'}. "
                "Stop that one first, or watch another home folder."
            ) from None
        lock.truncate(0)
        holder = {"process": os.getpid(), "host": socket.gethostname(), "since": dt.datetime.now(dt.UTC).isoformat()}
        lock.write(json.dumps(holder))
        lock.flush()
        yield
