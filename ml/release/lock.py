"""The publisher's lock: one process at a time adds, removes or points at releases."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = ".lock"


@contextmanager
def publisher_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a releases folder, waiting for whoever has it; it goes with the process.

    Who needs the warehouse's lock as well takes that one first, as dbt does.
    """
    with (folder / NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
