"""An ensemble of three, one of which straggles: it takes 0.2 s for some requests, or for all. Latency beside the deadline.

Requests come at a steady rate, and latency counts from when they were due. A straggler is late for those that come while it is
busy, too.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from tests.benchmarks.http_experiments.home import TWIN, WORSE, experiment
from tests.benchmarks.http_experiments.servers import Case, Running, in_turn
from tests.benchmarks.http_serving import bodies
from tests.benchmarks.http_serving.load import Phase, Requests, open_loop
from tests.benchmarks.http_serving.report import show

PER_SECOND, CONNECTIONS = 50, 32
DEADLINES = (20, 50)
STRAGGLERS = {"none": "", "2 % of requests": "straggles:0.02", "all requests": "straggles:1"}
STRAGGLER = f"v{TWIN}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="of a turn")
    parser.add_argument("--rounds", type=int, default=3, help="their requests count together")
    options = parser.parse_args()
    cases = {
        f"{deadline} ms, straggles: {name}": Case(
            experiment("ensemble", TWIN, WORSE, deadline_ms=deadline), planted, {"EIDERDOWN_CACHE_ROWS": "0"}
        )
        for deadline in DEADLINES
        for name, planted in STRAGGLERS.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        file = bodies.predictions(Path(folder) / "bodies", 10_000)

        def measure(running: Running) -> Requests:
            return open_loop(running.url, file, [Phase(PER_SECOND, options.seconds)], CONNECTIONS, keep_answers=True)

        found, faults = in_turn(cases, options.rounds, measure)
    rows = [_row(name, turns, faults[name]) for name, turns in found.items()]
    columns = [
        "deadline",
        "requests",
        "p50 ms",
        "p99 ms",
        "slowest",
        "none absent",
        "straggler absent",
        "others absent",
    ]
    show(
        f"An ensemble of three at {PER_SECOND}/s, one in a few of whose requests takes 200 ms",
        [*columns, "straggled", "not answered"],
        rows,
        "absent: what answers say; an answer that names several counts as others.",
    )


def _row(name: str, turns: list[Requests], faults: int) -> list[str]:
    good = [one.status == 200 for one in turns]
    waited = np.concatenate([(one.answered - one.due)[ok] * 1000 for one, ok in zip(turns, good, strict=True)])
    answers = [
        json.loads(answer)["absent"]
        for one, ok in zip(turns, good, strict=True)
        for answer in np.array(one.answers, object)[ok]
    ]
    shares = [answers.count([]), answers.count([STRAGGLER])]
    shares.append(len(answers) - sum(shares))
    return [
        name,
        f"{len(waited):,}",
        *(f"{value:.2f}" for value in (*np.percentile(waited, (50, 99)), waited.max())),
        *(f"{count / len(answers):.1%}" for count in shares),
        f"{faults:,}",
        str(sum(int((~ok).sum()) for ok in good)),
    ]


if __name__ == "__main__":
    main()
