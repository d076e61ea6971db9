"""Fifty releases published under load: no failed request, and no answer of two releases.

Two releases, which give every account other scores, become current in turn, each as soon as the one before it is served. An
answer is right where its scores are those that its own release gave before the load.
"""

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np

from tests.benchmarks.http_serving import bodies
from tests.benchmarks.http_serving.home import Home, built
from tests.benchmarks.http_serving.load import Phase, Requests, closed_loop
from tests.benchmarks.http_serving.report import show
from tests.benchmarks.http_serving.servers import eiderdown

REQUESTS, ENTITIES, CONNECTIONS = 500, 2, 8
SECONDS_TO_TAKE_UP = 60


def publish(home: Home, client: httpx.Client, place: int) -> float:
    """Make a release current and wait until it is served. Returns the seconds; raises SystemExit where it never is."""
    start, name = time.monotonic(), home.publish(place)
    while client.get("/health/ready").json()["release"] != name:
        if time.monotonic() > start + SECONDS_TO_TAKE_UP:
            raise SystemExit(f"{name}: not served {SECONDS_TO_TAKE_UP} s after it became current")
        time.sleep(0.01)
    return time.monotonic() - start


def outcome(answer: dict) -> tuple:
    """What must belong together in an answer."""
    scores = tuple(prediction["score"] for prediction in answer["predictions"])
    return answer["release"], answer["version"], scores


def expected(home: Home, client: httpx.Client, file: Path) -> set[tuple]:
    """The outcomes of all bodies under both releases, asked one by one. Ends with the first release served."""
    found: set[tuple] = set()
    for place in (1, 0):
        publish(home, client, place)
        for body in file.read_text().splitlines():
            answer = client.post("/predict/quick", content=body, headers={"content-type": "application/json"})
            found.add(outcome(answer.raise_for_status().json()))
    if len({scores for _, _, scores in found}) != 2 * REQUESTS:
        raise SystemExit("Two releases give the same scores, so a mixture would not show; see `days` in the project.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--releases", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=2, help="of load at a time, until all releases are published")
    options = parser.parse_args()
    home, delays, runs = built(), [], list[Requests]()
    with (
        tempfile.TemporaryDirectory() as folder,
        eiderdown(home) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        file = bodies.predictions(Path(folder) / "bodies", REQUESTS, ENTITIES)
        known = expected(home, client, file)
        is_over = threading.Event()

        def ask() -> None:
            while not is_over.is_set():
                phases = [Phase(CONNECTIONS, options.seconds)]
                runs.append(closed_loop(f"{server.url}/predict/quick", file, phases, keep_answers=True))

        load = threading.Thread(target=ask)
        load.start()
        try:
            delays = [publish(home, client, (number + 1) % 2) for number in range(options.releases)]
        finally:
            is_over.set()
            load.join()
            home.publish(0)
    failed = sum(run.count - int((run.status == 200).sum()) for run in runs)
    good = [answer for run in runs for answer, status in zip(run.answers, run.status, strict=True) if status == 200]
    outcomes = [outcome(json.loads(answer)) for answer in good]
    mixed = sum(one not in known for one in outcomes)
    waited = np.concatenate([(run.answered - run.due) * 1000 for run in runs])
    show(
        f"{options.releases} releases published under load, {CONNECTIONS} connections",
        ["releases", "requests", "failed", "mixed", "p50 ms", "p99 ms", "slowest ms", "served after s", "at most s"],
        [
            [
                f"{len(delays)} ({len({release for release, _, _ in outcomes})} seen)",
                f"{sum(run.count for run in runs):,}",
                str(failed),
                str(mixed),
                *(f"{value:.2f}" for value in (*np.percentile(waited, (50, 99)), waited.max())),
                *(f"{value:.2f}" for value in (np.median(delays), max(delays))),
            ]
        ],
    )
    if failed or mixed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
