"""Servers of experiments, side by side: each has its turn while the processes of the others are stopped."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.benchmarks.http_experiments.home import home_with
from tests.benchmarks.http_serving.home import Home
from tests.benchmarks.http_serving.servers import Server, eiderdown
from tests.conftest import REPOSITORY

Found = TypeVar("Found")
_PLANTED = Path(__file__).parent / "planted"


@dataclass(frozen=True)
class Case:
    """What is served: an experiment or none, a planted fault as planted/sitecustomize.py has it, and settings."""

    experiment: dict[str, Any] | None
    planted: str = ""
    settings: dict[str, str] | None = None
    workers: int = 1


@dataclass(frozen=True)
class Running:
    """A case that is served."""

    server: Server
    home: Home
    has_experiment: bool

    @property
    def url(self) -> str:
        """Where the model is asked."""
        return f"{self.server.url}/predict/quick"

    @property
    def faults(self) -> int:
        """How often the planted one happened."""
        note = self.home.folder / "planted"
        return note.stat().st_size if note.exists() else 0

    def processes(self, module: str = "") -> list[int]:
        """Those of the server, its workers and those beside them; or the ones that run a module."""
        parents: dict[int, int] = {}
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                # The name of a program stands in parentheses, and may hold spaces.
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        found, parent_of = [], [self.server.process.pid]
        while parent_of:
            found += parent_of
            parent_of = [child for child, parent in parents.items() if parent in parent_of]
        return [process for process in found if module in _command(process)]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of them."""
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, number)


@contextmanager
def serving(case: Case) -> Iterator[Running]:
    """A server of a case, on a home of its own."""
    with home_with(case.experiment) as home:
        settings = dict(case.settings or {})
        if case.planted:
            settings |= {
                "PYTHONPATH": f"{_PLANTED}{os.pathsep}{REPOSITORY}",
                "PLANTED": case.planted,
                "PLANTED_NOTE": str(home.folder / "planted"),
            }
        with eiderdown(home, settings, case.workers) as server:
            running = Running(server, home, case.experiment is not None)
            try:
                yield running
            finally:
                running.signal(signal.SIGCONT)


def in_turn(
    cases: dict[str, Case],
    rounds: int,
    measure: Callable[[Running], Found],
    await_ready: Callable[[Running], None] = lambda _: None,
) -> tuple[dict[str, list[Found]], dict[str, int]]:
    """What is measured of each case in each round, and how often its fault happened. Only the one that is measured runs."""
    found: dict[str, list[Found]] = {name: [] for name in cases}
    with ExitStack() as stack:
        running = {}
        for name, case in cases.items():
            running[name] = stack.enter_context(serving(case))
            await_ready(running[name])
            running[name].signal(signal.SIGSTOP)
        for place in range(rounds):
            # Whoever comes first in a round comes last in the next.
            for name in list(cases)[:: 1 if place % 2 == 0 else -1]:
                running[name].signal(signal.SIGCONT)
                found[name].append(measure(running[name]))
                running[name].signal(signal.SIGSTOP)
        return found, {name: one.faults for name, one in running.items()}


def _command(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
