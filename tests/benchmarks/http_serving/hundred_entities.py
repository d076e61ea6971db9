"""Requests of a hundred entities and 50 features beside those of one, and the load at which Feast's Python runs collapsed.

p99 of the model `broad` with one connection, requests of 1 and of 100 entities in turn; then an open loop of 100 requests a
second, each of 100 entities x 50 features, with latency counted from when a request was due.
"""

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks.http_serving import bodies
from tests.benchmarks.http_serving.home import built
from tests.benchmarks.http_serving.load import Phase, Requests, closed_loop, open_loop
from tests.benchmarks.http_serving.report import show
from tests.benchmarks.http_serving.servers import eiderdown

PER_SECOND, CONNECTIONS = 100, 32


def _row(name: str, found: Requests, seconds: float) -> list[str]:
    others = found.count - int((found.status == 200).sum())
    times = [f"{found.percentile(percent):.2f}" for percent in (50, 99)]
    return [name, *times, f"{found.per_second(seconds):,.0f}", str(others)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of the open loop; the others take half")
    parser.add_argument("--rounds", type=int, default=3, help="the round of the median p99 is shown")
    options = parser.parse_args()
    home, each = built(), options.seconds / 2 / options.rounds
    with tempfile.TemporaryDirectory() as folder, eiderdown(home) as server:
        url = f"{server.url}/predict/broad"
        files = {count: bodies.predictions(Path(folder) / str(count), 20_000, count) for count in (1, 100)}
        found: dict[int, list[Requests]] = {count: [] for count in files}
        for _ in range(options.rounds):
            for count, file in files.items():
                found[count].append(closed_loop(url, file, [Phase(1, each)]))
        steady = open_loop(url, files[100], [Phase(PER_SECOND, options.seconds)], CONNECTIONS)
    one, hundred = (sorted(rounds, key=lambda run: run.percentile(99))[len(rounds) // 2] for rounds in found.values())
    show(
        "Requests to a model of 50 stored features and 200 trees",
        ["", "p50 ms", "p99 ms", "answered/s", "not answered"],
        [
            _row("1 entity, one connection", one, each),
            _row("100 entities, one connection", hundred, each),
            _row(f"100 entities, {PER_SECOND}/s offered", steady, options.seconds),
        ],
        f"p99 of 100 entities is {hundred.percentile(99) / one.percentile(99):.1f} times that of one; the goal is under 5.",
        "What is offered counts from when it was due, so nothing is omitted while the server stalls.",
    )


if __name__ == "__main__":
    main()
