"""The compiled load generator, `load.c`: open and closed loops in phases, with every request recorded."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from tests.benchmarks.http_serving.home import KEPT

_SOURCE = Path(__file__).with_name("load.c")


@dataclass(frozen=True)
class Phase:
    """Requests a second of an open loop, or connections that ask of a closed one, for a while."""

    level: float
    seconds: float


@dataclass(frozen=True)
class Requests:
    """What became of each request, as arrays of one length; times in seconds from one clock.

    status: of HTTP, 0 where the connection broke or nobody answered, -1 where no connection was free to send it.
    """

    phase: np.ndarray
    due: np.ndarray
    sent: np.ndarray
    answered: np.ndarray
    status: np.ndarray
    answers: list[bytes]

    def of(self, where: np.ndarray) -> "Requests":
        """Those at which a mask is true, without their answers."""
        return Requests(
            *(values[where] for values in (self.phase, self.due, self.sent, self.answered, self.status)), []
        )

    def of_phase(self, phase: int) -> "Requests":
        """Those that fell due in a phase."""
        return self.of(self.phase == phase)

    @property
    def count(self) -> int:
        """How many."""
        return len(self.status)

    def share(self, *statuses: int) -> float:
        """The share with one of these statuses, of those that were sent."""
        return float(np.isin(self.status, statuses).sum() / max((self.status >= 0).sum(), 1))

    def errors(self) -> int:
        """How many were neither answered by 200 nor refused in order, by 429 or 503."""
        return int((~np.isin(self.status, (200, 429, 503, -1))).sum())

    def unsent(self) -> int:
        """How many found no free connection until their phase ended."""
        return int((self.status == -1).sum())

    def per_second(self, seconds: float) -> float:
        """Answers by 200 a second."""
        return float((self.status == 200).sum() / seconds)

    def percentile(self, percent: float) -> float:
        """Milliseconds from when a request was due to its answer, of those answered by 200; NaN where none was."""
        waited = (self.answered - self.due)[self.status == 200]
        return float(np.percentile(waited, percent) * 1000) if len(waited) else float("nan")


def open_loop(url: str, bodies: Path, phases: list[Phase], connections: int, keep_answers: bool = False) -> Requests:
    """Send at given rates, whatever the server does. `bodies`: a file of a JSON body a line, taken in turn."""
    return _drive("open", url, bodies, phases, connections, keep_answers)


def closed_loop(url: str, bodies: Path, phases: list[Phase], keep_answers: bool = False) -> Requests:
    """Keep a number of requests under way."""
    return _drive("closed", url, bodies, phases, int(max(phase.level for phase in phases)), keep_answers)


def _drive(loop: str, url: str, bodies: Path, phases: list[Phase], connections: int, keep_answers: bool) -> Requests:
    parts = urlsplit(url)
    with tempfile.TemporaryDirectory() as temporary:
        records, answers = Path(temporary) / "records", Path(temporary) / "answers"
        command = [_compiled(), loop, str(parts.port), parts.path, bodies, records, answers if keep_answers else "-"]
        levels = [f"{phase.level}:{phase.seconds}" for phase in phases]
        subprocess.run([*command, str(connections), *levels], check=True)
        phase, due, sent, answered, status = np.fromfile(records).reshape(-1, 5).T
        kept = answers.read_bytes().split(b"\n")[:-1] if keep_answers else []
    return Requests(phase.astype(int), due, sent, answered, status.astype(int), kept)


def _compiled() -> Path:
    """The program, compiled where it is older than its source. Raises SystemExit without a compiler."""
    program = KEPT / "load"
    if not program.exists() or program.stat().st_mtime < _SOURCE.stat().st_mtime:
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise SystemExit(
                "No C compiler for the load generator; on Debian and Ubuntu: apt-get install gcc libc6-dev"
            )
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=True)
    return program
