"""Experiments that learn, over HTTP: outcomes go to /feedback, and two workers go by what is learned of them.

A canary that is worse is stopped, one that is the champion again goes to the full. Thompson sampling and Exp3 find the better of
two arms, while a worker and the learner are killed. In the end all workers have the same weights, and each outcome that was
taken counts once.
"""

import argparse
import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from ml.experiments.states import ExperimentState, follows
from tests.benchmarks.http_experiments.client import Client
from tests.benchmarks.http_experiments.home import TWIN, WORSE, experiment, outcomes
from tests.benchmarks.http_experiments.servers import Case, Running, serving
from tests.benchmarks.http_serving.report import show

STEPS = {"steps": [0.1, 0.25, 0.5], "step_outcomes": 200, "margin": 0.02}
CANARIES = {"a canary that is worse": ("stopped", WORSE), "one that is no worse": ("full", TWIN)}
BANDITS = ("thompson", "exp3")
KILLED = ("serving.process.worker", "serving.experiments.beside learner")
CHUNK = 100
PARTS = 5
SECONDS_TO_LEARN = 60


def newest(running: Running) -> ExperimentState | None:
    """The state of the experiment, from the event log."""
    found: ExperimentState | None = None
    for path in (running.home.folder / "events" / "experiments").glob("*.jsonl"):
        for line in path.read_bytes().splitlines():
            state = ExperimentState.parse(line)
            if state is not None and follows(state, found):
                found = state
    return found


def counted(state: ExperimentState | None) -> int:
    """The outcomes that it knows."""
    return sum(arm["outcomes"] for arm in state.state["arms"].values()) if state else 0


def await_learned(running: Running, client: Client) -> tuple[ExperimentState | None, list[dict[str, Any]]]:
    """The state when all that was told is learned, or nothing more comes; and what the workers then say, once they agree."""
    deadline = time.monotonic() + SECONDS_TO_LEARN
    state = newest(running)
    while time.monotonic() < deadline and counted(state) < client.told and not (state and state.status == "stopped"):
        time.sleep(0.1)
        state = newest(running)
    while True:
        said = client.experiments()
        if time.monotonic() > deadline or (state and all(_weights(one) == state.weights for one in said)):
            return state, said
        time.sleep(0.1)


def _weights(said: dict[str, Any]) -> dict[str, float]:
    return {name: arm["weight"] for name, arm in said["arms"].items()}


def _agree(state: ExperimentState | None, said: list[dict[str, Any]]) -> str:
    return "yes" if state and all(_weights(one) == state.weights for one in said) else "NO: workers do not agree"


@dataclass(frozen=True)
class Canary:
    """What became of one: when it was decided, if it was."""

    state: ExperimentState | None
    asked: int
    had: int
    seconds: float
    after: int


def canary(version: int, most: int) -> Canary:
    """Ask until a decision is served by all workers, then a little more: `after` of these it had."""
    with serving(Case(experiment("canary", version, **STEPS), workers=2)) as running:
        client = Client(running, outcomes())
        while len(client.asked) < most:
            client.ask(CHUNK)
            if {one["status"] for one in client.experiments()} in ({"stopped"}, {"full"}):
                break
        asked, seconds = len(client.asked), client.seconds
        had = sum(one.arm != "control" for one in client.asked)
        client.ask(CHUNK)
        after = sum(one.arm != "control" for one in client.asked[asked:])
        return Canary(newest(running), asked, had, seconds, after)


def bandit(policy: str, requests: int) -> list[str]:
    """A row of the table."""
    with serving(Case(experiment(policy, WORSE), workers=2)) as running:
        client = Client(running, outcomes())
        while len(client.asked) < requests // 2:
            client.ask(CHUNK)
        for module in KILLED:
            os.kill(running.processes(module)[0], signal.SIGKILL)
        while len(client.asked) < requests:
            client.ask(CHUNK)
        state, said = await_learned(running, client)
        size = requests // PARTS
        shares = [
            sum(one.arm == "control" for one in client.asked[start : start + size]) / size
            for start in range(0, size * PARTS, size)
        ]
        return [
            policy,
            *(f"{share:.0%}" for share in shares),
            f"{state.weights['control']:.3f}" if state else "none",
            _agree(state, said),
            "yes" if counted(state) == client.told else f"NO: {counted(state):,} of {client.told:,}",
            str(client.broken),
            f"{client.asked[-1].at:.1f}",
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000, help="of a canary, at most; of a bandit half as many")
    options = parser.parse_args()
    rows, reasons, problems = [], [], list[str]()
    for name, (expected, version) in CANARIES.items():
        found = canary(version, options.requests)
        status = found.state.status if found.state else "nothing learned"
        if status != expected:
            problems.append(f"{name}: {status} after {found.asked} requests, not {expected}")
        counts = [f"{found.asked:,}", f"{found.had:,}", f"{found.seconds:.1f}", f"{found.after} of {CHUNK}"]
        rows.append([name, status, *counts])
        reasons.append(f"{name}: {found.state.reason if found.state else status}")
    steps = ", ".join(f"{share:.0%}" for share in STEPS["steps"])  # type: ignore[attr-defined]
    show(
        f"Canaries by steps of {steps}, each of {STEPS['step_outcomes']} outcomes, two workers",
        ["", "became", "requests", "of the canary", "seconds", "then"],
        rows,
        "requests: until both workers went by the decision. then: how many of the next were the canary's.",
        *reasons,
    )
    bandits = [bandit(policy, options.requests // 2) for policy in BANDITS]
    parts = [f"{place + 1}/{PARTS}" for place in range(PARTS)]
    show(
        f"Share of the better arm in {options.requests // 2:,} requests, by fifths",
        ["", *parts, "in the end", "workers agree", "each outcome counted once", "broken", "seconds"],
        bandits,
        "In the middle a worker and the learner were killed. broken: connections, whose requests were sent again.",
    )
    problems += [f"{row[0]}: {text}" for row in bandits for text in row if text.startswith("NO")]
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main()
