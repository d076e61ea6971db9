"""Ten times the capacity for thirty seconds: latency of what is accepted, what is refused, memory, and how soon it is over.

Capacity is the most answers a second of closed loops with rising concurrency. Then one open loop: a tenth of the capacity, ten
times the capacity, and a tenth again. Latency counts from when a request was due.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.benchmarks.http_serving import bodies
from tests.benchmarks.http_serving.home import Home, built
from tests.benchmarks.http_serving.load import Phase, closed_loop, open_loop
from tests.benchmarks.http_serving.report import show
from tests.benchmarks.http_serving.servers import Server, eiderdown

CONCURRENCIES = (1, 4, 16, 64)
CONNECTIONS = 1000
LEAST_CALM, LEAST_CALM_SECONDS = 10, 10
"""The percentiles of calm seconds need so many requests a second, for so long."""


# No prediction is kept, so that each has its cost. A row at a time, so that ten times the capacity can be sent at all.
CASES = {
    "one-by-one": ("heavy", {"EIDERDOWN_FIXED_BATCH": "1", "EIDERDOWN_SLO_MS": "5", "EIDERDOWN_CACHE_ROWS": "0"}),
    "heavy": ("heavy", {"EIDERDOWN_CACHE_ROWS": "0"}),
    "quick": ("quick", {"EIDERDOWN_CACHE_ROWS": "0"}),
}


def capacity(url: str, file: Path, seconds: float) -> float:
    """The most good answers a second at any of CONCURRENCIES."""
    return max(closed_loop(url, file, [Phase(level, seconds)]).per_second(seconds) for level in CONCURRENCIES)


@contextmanager
def memory(server: Server) -> Iterator[list[tuple[float, float]]]:
    """Twice a second, while the context lasts: the time and the server's megabytes."""
    found: list[tuple[float, float]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.5):
            found.append((time.monotonic(), server.megabytes()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def measure(home: Home, case: str, file: Path, seconds: float, times: float) -> list[str]:
    """One row of the table."""
    model, settings = CASES[case]
    with eiderdown(home, {"OPENBLAS_NUM_THREADS": "1", **settings}) as server:
        url = f"{server.url}/predict/{model}"
        most = capacity(url, file, min(seconds / 10, 3))
        calm = Phase(max(most / 10, LEAST_CALM), max(seconds / 3, LEAST_CALM_SECONDS))
        with memory(server) as held:
            found = open_loop(url, file, [calm, Phase(times * most, seconds), calm], CONNECTIONS)
    before, during, after = (found.of_phase(phase) for phase in range(3))
    first = after.of(after.due < after.due[0] + 1)
    moments, megabytes = np.array(held).T
    # The first seconds fill queues and buffers; what grows after them would go on growing.
    start, end = during.due[0] + seconds / 6, during.due[0] + seconds
    grown = np.interp(end, moments, megabytes) - np.interp(start, moments, megabytes)
    return [
        case,
        f"{most:,.0f}",
        f"{during.count / seconds:,.0f}",
        f"{during.unsent():,}",
        f"{during.per_second(seconds):,.0f}",
        f"{during.share(429, 503):.0%}",
        f"{found.errors()}",
        *(f"{one.percentile(99):.1f}" for one in (before, during, first, after)),
        f"{during.percentile(99) / before.percentile(99):.1f}",
        f"{megabytes[0]:.0f}",
        f"{grown:+.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--times", type=float, default=10, help="of the capacity")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    options = parser.parse_args()
    columns = ["case", "capacity/s", "offered/s", "not sent", "answered/s", "refused", "errors"]
    columns += ["p99 before", "under it", "1st s after", "after", "times", "MB", "growth"]
    home = built()
    with tempfile.TemporaryDirectory() as folder:
        file = bodies.predictions(Path(folder) / "bodies", 100_000)
        rows = [measure(home, case, file, options.seconds, options.times) for case in options.cases]
    show(
        f"{options.times:g} times the capacity for {options.seconds:g} s, {CONNECTIONS} connections; p99 in ms",
        columns,
        rows,
        "refused: of what was sent. not sent: no connection was free until it was over, or the generator could not keep up.",
        "MB: anonymous memory. growth: from a sixth of the overload to its end. The goals: times under 2, no errors, no growth.",
    )


if __name__ == "__main__":
    main()
