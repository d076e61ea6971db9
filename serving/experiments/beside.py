"""Processes beside the server, one of a kind in a home: what they do, or how they fail, costs no request its time.

`python -m serving.experiments.beside learner|shadow <pipe of the parent>`; serving/experiments/companions.py starts them.
"""

import fcntl
import logging
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ml import files
from serving.process.json_logs import log_json_lines

KINDS = ("learner", "shadow")
SECONDS_BETWEEN_ROUNDS = {"learner": 1.0, "shadow": 0.2}
"""The learner appends what it knows at most as often, for all workers to read."""
_NICE = {"learner": 5, "shadow": 19}
"""What is beside comes after what is asked, where both want one core."""

logger = logging.getLogger("serving")


def folder() -> Path:
    """Where they keep what is theirs."""
    return files.home() / "experiments"


@contextmanager
def the_only_one(kind: str) -> Iterator[bool]:
    """Whether this process is the only one of its kind in the home; it goes with the process."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / f"{kind}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def run(kind: str, parent: int) -> None:
    """Do rounds until the parent's end of the pipe is closed, or a signal ends this process."""
    make: Callable[[], Callable[[], None]]
    if kind == "learner":
        from serving.experiments.learner import Learner

        make = lambda: Learner().round  # noqa: E731
    else:
        from serving.experiments.shadow import Shadow

        make = lambda: Shadow().round  # noqa: E731
    with the_only_one(kind) as is_only:
        if not is_only:
            return
        one_round = make()
        problem = ""
        while not select.select([parent], [], [], SECONDS_BETWEEN_ROUNDS[kind])[0]:
            try:
                one_round()
                problem = ""
            except Exception as error:
                # Whatever a round meets, the next may not.
                if str(error) != problem:
                    problem = str(error)
                    logger.exception({"event": f"{kind}_failed", "problem": problem})


def _stand_back(kind: str) -> None:
    """Leave the processor to others, before anything is loaded. A shadow takes, where the system can do that, what is idle."""
    os.nice(_NICE[kind])
    if kind == "shadow" and hasattr(os, "SCHED_IDLE"):
        # A container may refuse it.
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> None:
    """Be one of the processes."""
    kind, parent = sys.argv[1:]
    _stand_back(kind)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_json_lines()
    run(kind, int(parent))


if __name__ == "__main__":
    main()
