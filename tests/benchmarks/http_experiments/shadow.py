"""What a shadow does to answers and latency: with none, a healthy one, and ones that hang, spin and end their process.

A fault happens at each request that the shadow scores. Servers have turns; those that wait are stopped with all their processes.
Nothing is kept in a cache, so each request is scored. Latency counts from when a request was due.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from tests.benchmarks.http_experiments.home import WORSE, experiment
from tests.benchmarks.http_experiments.servers import Case, Running, in_turn
from tests.benchmarks.http_serving import bodies
from tests.benchmarks.http_serving.load import Phase, Requests, closed_loop, open_loop
from tests.benchmarks.http_serving.report import show
from tests.benchmarks.http_serving.servers import SECONDS_TO_START

PER_SECOND, AT_ONCE, CONNECTIONS = 500, 4, 32
ACCOUNTS = 500
ALONE = "no experiment"
_SHADOW, _SETTINGS = experiment("shadow", WORSE), {"EIDERDOWN_CACHE_ROWS": "0"}
CASES = {
    ALONE: Case(None, settings=_SETTINGS),
    "a shadow": Case(_SHADOW, settings=_SETTINGS),
    "one that hangs": Case(_SHADOW, "hangs:1", _SETTINGS),
    "one that spins": Case(_SHADOW, "spins:1", _SETTINGS),
    "one that crashes": Case(_SHADOW, "crashes:1", _SETTINGS),
}


@dataclass(frozen=True)
class Turn:
    """The load of one turn, and what was answered: the predictions, without who made them. scored: by the shadow, until then."""

    steady: Requests
    closed: Requests
    answers: set[tuple[float, bool, str]]
    scored: int


def _turn(running: Running, file: Path, seconds: float) -> Turn:
    steady = open_loop(running.url, file, [Phase(PER_SECOND, seconds)], CONNECTIONS, keep_answers=True)
    closed = closed_loop(running.url, file, [Phase(AT_ONCE, seconds)], keep_answers=True)
    good = (
        json.loads(answer)["predictions"][0]
        for run in (steady, closed)
        for answer, status in zip(run.answers, run.status, strict=True)
        if status == 200
    )
    answers = {(one["score"], one["label"], one["status"]) for one in good}
    return Turn(steady, closed, answers, _scored(running))


def _scored(running: Running) -> int:
    """Requests that the shadow has scored."""
    logs = (running.home.folder / "events" / "predictions").glob("*.jsonl")
    return sum(path.read_bytes().count(b'"role":"shadow"') for path in logs)


def _await_shadow(running: Running) -> None:
    """Ask until the shadow has scored something, or failed to. Raises SystemExit where it never does."""
    deadline = time.monotonic() + SECONDS_TO_START
    with httpx.Client() as client:
        while running.has_experiment and not (running.faults or _scored(running)):
            if time.monotonic() > deadline:
                raise SystemExit(f"{running.home.folder}: its shadow scores nothing")
            client.post(running.url, json={"instances": [{"account": 0}]}).raise_for_status()
            time.sleep(0.1)


def _counts(turns: list[Turn]) -> tuple[int, int]:
    """Requests that were sent and not answered by 200, and those that found no free connection."""
    runs = [run for turn in turns for run in (turn.steady, turn.closed)]
    unsent = sum(run.unsent() for run in runs)
    return sum(int((run.status != 200).sum()) for run in runs) - unsent, unsent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="of each load in a turn")
    parser.add_argument("--rounds", type=int, default=3, help="medians are shown")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = bodies.predictions(Path(folder) / "bodies", ACCOUNTS, accounts=ACCOUNTS)
        found, faults = in_turn(
            CASES, options.rounds, partial(_turn, file=file, seconds=options.seconds), _await_shadow
        )
    expected = set().union(*(turn.answers for turn in found[ALONE]))
    rows = []
    for name, turns in found.items():
        medians = [
            f"{statistics.median(getattr(turn, load).percentile(percent) for turn in turns):.2f}"
            for load in ("steady", "closed")
            for percent in (50, 99)
        ]
        each = statistics.median(turn.closed.per_second(options.seconds) for turn in turns)
        are_equal = all(turn.answers <= expected for turn in turns)
        counts = [turns[-1].scored, faults[name], *_counts(turns)]
        rows.append([name, *medians, f"{each:,.0f}", "equal" if are_equal else "DIFFER", *(f"{n:,}" for n in counts)])
    steady, closed = f"{PER_SECOND}/s", f"{AT_ONCE} at once"
    show(
        f"Shadows, ms, medians of {options.rounds} turns of {options.seconds:g} s",
        [
            "",
            f"{steady}: p50",
            "p99",
            f"{closed}: p50",
            "p99",
            "/s",
            "answers",
            "scored beside",
            "faults",
            "not answered",
        ],
        rows,
        "A shadow that is healthy, spins or starts again takes idle time of the cores, at a lower priority than the server.",
    )
    if any("DIFFER" in row for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
