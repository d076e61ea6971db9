"""What routing costs a request: predictions of an experiment beside those of the champion alone, whose work is the same.

Both arms are one model. In process: microseconds of `answer` and of rendering it, in turns of a few hundred requests, each of
an account whose prediction is kept, so that little else is measured. Over HTTP: one connection, in turns.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from serving.metrics.metrics import Metrics
from serving.metrics.refusals import Refusals
from serving.predictions.target import Target
from serving.releases.loaded import LoadedParts
from serving.releases.served_release import ServedRelease
from serving.settings import Settings
from tests.benchmarks.http_experiments.home import TWIN, experiment, home_with
from tests.benchmarks.http_experiments.servers import Case, Running, in_turn
from tests.benchmarks.http_serving import bodies
from tests.benchmarks.http_serving.load import Phase, closed_loop
from tests.benchmarks.http_serving.report import show

ALONE = "no experiment"
DECLARED = {
    "ab": experiment("ab", TWIN),
    "ab, by account": experiment("ab", TWIN, unit=["account"]),
    "canary": experiment("canary", TWIN),
    "exp3": experiment("exp3", TWIN),
    "shadow": experiment("shadow", TWIN),
}
OVER_HTTP = ("ab", "ab, by account", "exp3")
ACCOUNTS = 20
GOAL = 10.0


async def in_process(rounds: int) -> dict[str, tuple[float, float]]:
    """Medians of microseconds: of `answer`, and of it with the rendering of its JSON."""
    metrics, targets = Metrics(), dict[str, Target]()
    for name, declared in {ALONE: None, **DECLARED}.items():
        with home_with(declared) as home:
            folder = home.folder / "releases" / home.releases[0]
            release = ServedRelease(folder, LoadedParts(), Settings(), metrics, Refusals(metrics))
        targets[name] = release.target("quick")
    requests = [targets[ALONE].check([{"account": account}], 1, release.now()) for account in range(ACCOUNTS)]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in targets}
    for number in range(rounds + 2):
        for name, target in targets.items():
            start = time.perf_counter()
            answers = [await target.answer(rows, start + 10, _stays) for rows in requests]
            answered = time.perf_counter()
            for answer in answers:
                answer.to_json()
            # At first predictions are made and kept: of each arm.
            if number >= 2:
                each = 1e6 / ACCOUNTS
                found[name].append(((answered - start) * each, (time.perf_counter() - start) * each))
    return {
        name: (statistics.median(one for one, _ in times), statistics.median(both for _, both in times))
        for name, times in found.items()
    }


async def _stays() -> None:
    await asyncio.Event().wait()


def over_http(seconds: float, rounds: int) -> dict[str, float]:
    """Medians of p50 in microseconds."""
    cases = {ALONE: Case(None)} | {name: Case(DECLARED[name]) for name in OVER_HTTP}
    with tempfile.TemporaryDirectory() as folder:
        file = bodies.predictions(Path(folder) / "bodies", 1000, accounts=1000)

        def measure(running: Running) -> float:
            return closed_loop(running.url, file, [Phase(1, seconds)]).percentile(50) * 1000

        found, _ = in_turn(cases, rounds, measure)
    return {name: statistics.median(times) for name, times in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1, help="of a turn over HTTP")
    parser.add_argument("--rounds", type=int, default=7, help="over HTTP; medians are shown")
    parser.add_argument("--only-in-process", action="store_true")
    options = parser.parse_args()
    inside = asyncio.run(in_process(150))
    outside = {} if options.only_in_process else over_http(options.seconds, options.rounds)
    rows = []
    for name, (answer, whole) in inside.items():
        http = outside.get(name)
        rows.append(
            [
                name,
                *(f"{value:.1f}" for value in (answer, whole)),
                *(f"{value - base:+.1f}" for value, base in zip((answer, whole), inside[ALONE], strict=True)),
                *((f"{http:.0f}", f"{http - outside[ALONE]:+.1f}") if http else ("", "")),
            ]
        )
    most = max(whole for _, whole in inside.values()) - inside[ALONE][1]
    show(
        "Routing, microseconds a request",
        ["", "answer", "with JSON", "answer: more", "with JSON: more", "HTTP p50", "HTTP: more"],
        rows,
        f"In process the dearest costs {most:.1f} µs more than no experiment; the goal is at most {GOAL:g}.",
        "Over HTTP the same work finds the processor's caches cold, and the answer and its line are longer.",
    )


if __name__ == "__main__":
    main()
