"""One entity, 20 stored features, 200 trees: ours beside echoes, Feast's look-up alone, MLflow's and LitServe's prediction alone.

The same wrk asks each with 1, 8 and 64 connections, in rounds that take turns, and the medians are shown. Ours does all of the
work, with the event log on: each run starts a server anew and asks for other accounts, so no prediction is in the cache; "one
account" is the opposite. The other servers are stopped by a signal while they wait for their turn.
"""

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx

from tests.benchmarks.http_serving import bodies
from tests.benchmarks.http_serving.contenders import Contender, echoes, feast, litserve, mlflow
from tests.benchmarks.http_serving.home import Home, built
from tests.benchmarks.http_serving.report import show
from tests.benchmarks.http_serving.servers import Server, eiderdown
from tests.benchmarks.http_serving.wrk import wrk

OURS, HOT, ECHO, FEAST, MLFLOW, LITSERVE = (
    "eiderdown, 100,000 accounts",
    "eiderdown, one account",
    "FastAPI echo, body: dict",
    "Feast, look-up alone",
    "MLflow, prediction alone",
    "LitServe, prediction alone",
)
CONNECTIONS = (1, 8, 64)
ACCOUNTS = 100_000
Found = dict[str, dict[int, list[dict[str, float]]]]


def contenders(home: Home, folder: Path, has_peers: bool) -> dict[str, Contender]:
    """All that is measured, by its name."""
    ours = {
        OURS: Contender(lambda: eiderdown(home), "/predict/quick", bodies.predictions(folder / "all", ACCOUNTS)),
        HOT: Contender(lambda: eiderdown(home), "/predict/quick", bodies.predictions(folder / "one", 1)),
    }
    others = {FEAST: feast, MLFLOW: mlflow, LITSERVE: litserve} if has_peers else {}
    return ours | echoes(folder) | {name: make(home, folder) for name, make in others.items()}


def check_scores(running: dict[str, Server], asked: dict[str, Contender]) -> None:
    """Raise SystemExit where a peer scores an account otherwise than we do."""
    features = asked[MLFLOW].bodies.read_text().splitlines()
    accounts = (asked[MLFLOW].bodies.parent / "drawn").read_text().splitlines()
    for body, row in list(zip(accounts, features, strict=True))[:20]:
        answer = httpx.post(
            f"{running[OURS].url}/predict/quick", content=body, headers={"content-type": "application/json"}
        )
        ours = answer.json()["predictions"][0]["score"]
        for name in (MLFLOW, LITSERVE):
            answer = httpx.post(
                running[name].url + asked[name].path, content=row, headers={"content-type": "application/json"}
            )
            theirs = answer.json()["predictions"][0]
            if abs(theirs - ours) > 1e-12:
                raise SystemExit(f"{name}: scores {theirs} and not {ours}; it serves another model.")


def check_log(home: Home) -> None:
    """Raise SystemExit where our server logs no predictions: it is measured with its event log."""
    if not any(path.stat().st_size for path in (home.folder / "events" / "predictions").glob("*.jsonl")):
        raise SystemExit(
            f"{home.folder / 'events'}: no prediction was logged, so the figures would leave that work out."
        )


def measure(home: Home, asked: dict[str, Contender], rounds: int, seconds: float) -> Found:
    """What wrk finds of each contender with each number of connections, in rounds."""
    found: Found = {name: {count: [] for count in CONNECTIONS} for name in asked}
    with ExitStack() as stack:
        running = {name: stack.enter_context(one.start()) for name, one in asked.items() if name not in (OURS, HOT)}
        if MLFLOW in asked:
            with asked[OURS].start() as ours:
                check_scores({**running, OURS: ours}, asked)
        for server in running.values():
            server.pause()
        for _ in range(rounds):
            for count in CONNECTIONS:
                for name, one in asked.items():
                    if name in running:
                        running[name].resume()
                        found[name][count].append(wrk(running[name].url + one.path, one.bodies, count, seconds))
                        running[name].pause()
                    else:
                        with one.start() as server:
                            found[name][count].append(wrk(server.url + one.path, one.bodies, count, seconds))
                            check_log(home)
    return found


def medians(found: Found) -> dict[str, dict[int, dict[str, float]]]:
    """Of the rounds; errors are added up."""
    return {
        name: {
            count: {key: statistics.median(one[key] for one in rounds) for key in ("p50", "p99", "per_second")}
            | {"errors": sum(one["errors"] for one in rounds)}
            for count, rounds in counts.items()
        }
        for name, counts in found.items()
    }


def notes(of: dict[str, dict[int, dict[str, float]]]) -> list[str]:
    """How we compare with the goals."""
    ratios = (of[OURS][count]["per_second"] / of[ECHO][count]["per_second"] for count in (8, 64))
    said = [
        "Times of FastAPI's echo (body: dict) in throughput at 8 and 64: "
        + ", ".join(f"{ratio:.2f}" for ratio in ratios)
        + "; the goal is 1.5."
    ]
    if FEAST in of:
        # One after the other on the same machine: the times of a request add up.
        both = max(1 / sum(1 / of[name][count]["per_second"] for name in (FEAST, MLFLOW)) for count in CONNECTIONS)
        most = max(one["per_second"] for one in of[OURS].values())
        p50 = of[OURS][1]["p50"] / (of[FEAST][1]["p50"] + of[MLFLOW][1]["p50"])
        said.append(
            f"Feast followed by MLflow: {both:,.0f}/s; ours is {most / both:.1f} times that, in {p50:.2f} of their p50 at 1; "
            "the goals are 25 times and 0.10."
        )
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="of one run of wrk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true", help="only ours and the echoes")
    options = parser.parse_args()
    home = built()
    with tempfile.TemporaryDirectory() as folder:
        asked = contenders(home, Path(folder), not options.no_peers)
        of = medians(measure(home, asked, options.rounds, options.seconds))
    rows = [
        [
            name,
            *(
                text
                for one in counts.values()
                for text in (f"{one['p50']:.3f}", f"{one['p99']:.2f}", f"{one['per_second']:,.0f}")
            ),
            f"{sum(one['errors'] for one in counts.values()):.0f}",
        ]
        for name, counts in of.items()
    ]
    columns = [f"{count}: {what}" if what == "p50" else what for count in CONNECTIONS for what in ("p50", "p99", "/s")]
    show(
        f"One worker each; wrk with 1, 8 and 64 connections: ms and answers a second, median of {options.rounds} rounds",
        ["", *columns, "errors"],
        rows,
        *notes(of),
    )


if __name__ == "__main__":
    main()
