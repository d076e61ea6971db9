"""Policies of experiments in worlds whose truth is known: one table. Printed, not asserted; tests/unit/test_policies*.py
assert less of it.

    python tests/benchmarks/experiments.py --runs 1000 --ramps 1000 --json found.json
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from ml.experiments.policies.canary import Canary
from ml.experiments.policies.exp3 import Exp3
from ml.experiments.policies.exp4 import Exp4
from ml.experiments.policies.thompson import Thompson
from tests import experiments
from tests.experiments import Losses, errors, squared_errors

ERROR, MARGIN = 0.05, 0.01
STEPS, STEP_OUTCOMES = (0.01, 0.05, 0.25, 0.5), 200
NOISES, BEFORE, AFTER = (0.4, 0.8, 1.2), 1500, 1000
WINDOW = 100
Row = tuple[str, str, str]
"""What was simulated, what was found, and what it should be."""


def exp3(seeds: int) -> Iterator[Row]:
    """Mean regret over worlds, and the greatest."""
    for arms, rounds in ((2, 1_000), (2, 10_000), (5, 2_000), (10, 3_000)):
        bound = np.sqrt(rounds * arms * np.log(arms))
        for kind in ("gap", "turn", "blocks", "tempting"):
            rng = np.random.default_rng(arms + rounds)
            policy = Exp3([str(arm) for arm in range(arms)])
            found = [
                experiments.regret(policy, experiments.adversarial(kind, rounds, arms, rng), rng) for _ in range(seeds)
            ]
            yield (
                f"Exp3, {arms} arms, {rounds:,} outcomes, {kind}: mean regret of {seeds}",
                f"{np.mean(found):.0f} ± {np.std(found) / np.sqrt(seeds):.0f}, at most {max(found):.0f}",
                f"< {2 * np.sqrt(np.e - 1) * bound:.0f}; own {2 * bound:.0f}",
            )


def thompson(runs: int) -> Iterator[Row]:
    """A loss of 0.3 against less; weights are computed anew every 100 outcomes."""
    for gap in (0.02, 0.05, 0.1, 0.2):
        rng, policy, shares, sure = np.random.default_rng(1), Thompson(["a", "b"]), [], []
        for _ in range(runs):
            losses = (rng.random((20_000, 2)) < np.array([0.3, 0.3 - gap])).astype(float)
            drawn, state = experiments.play(policy, losses, rng, batch=100)
            shares.append((drawn.mean(), drawn[-2_000:].mean()))
            sure.append(policy.weights(state)["b"])
        whole, last = np.mean(shares, axis=0)
        yield (
            f"Thompson, 20,000 outcomes, better by {gap}: its traffic",
            f"{whole:.1%}, of the last tenth {last:.1%}; more than half in {np.mean(np.array(sure) > 0.5):.0%} of {runs} runs",
            "→ 100 %",
        )


def exp4(runs: int) -> Iterator[Row]:
    """The best of three members says something else from an outcome on."""
    broken: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "says 0.97": lambda said: np.full_like(said, 0.97),
        "says the opposite": lambda said: 1 - said,
        "says 0.5": lambda said: np.full_like(said, 0.5),
    }
    for name, change in broken.items():
        rng, lost, members, weights = np.random.default_rng(2), [], [], []
        for _ in range(runs):
            given, outcomes = experiments.predictions(BEFORE + AFTER, NOISES, rng)
            given[BEFORE:, 0] = change(given[BEFORE:, 0])
            answer, weight = experiments.ensemble(Exp4(["a", "b", "c"]), given, outcomes)
            lost.append(np.square(answer - outcomes))
            members.append(np.square(given - outcomes[:, None]))
            weights.append(weight)
        ensemble, each, weight = np.mean(lost, axis=0), np.mean(members, axis=0), np.mean(weights, axis=0)
        ratios = [
            ensemble[at : at + WINDOW].mean() / each[at : at + WINDOW, 1].mean()
            for at in range(BEFORE, BEFORE + AFTER - WINDOW)
        ]
        late = slice(BEFORE + AFTER // 2, None)
        yield (
            f"Exp4, the best {name}: Brier over the next best's, later",
            f"{ensemble[late].mean() / each[late, 1].mean():.4f}; within 1 % after "
            f"{next(at for at, ratio in enumerate(ratios) if ratio <= 1.01)} outcomes; its weight "
            f"{weight[BEFORE - 1, 0]:.2f} → {weight[-1, 0]:.3f}",
            "≤ 1.01",
        )


def regressions(ramps: int) -> Iterator[Row]:
    """The whole way of a canary: with losses like Brier's of 0.18 and 0/1 errors, by how much it is worse."""
    kinds: dict[str, Callable[[float], Losses]] = {"Brier 0.18": squared_errors, "errors 10 %": errors}
    for name, losses in kinds.items():
        control = 0.18 if losses is squared_errors else 0.1
        for worse in (0.2, 0.1, 0.05, 0.02, MARGIN, 0.0, -0.02):
            rng, expected = np.random.default_rng(3), "full" if worse <= 0 else "stopped"
            policy = Canary(["old", "new"], steps=STEPS, step_outcomes=STEP_OUTCOMES, margin=MARGIN, error=ERROR)
            found = [experiments.ramp(policy, losses(control), losses(control + worse), rng) for _ in range(ramps)]
            counts = Counter(status for status, _, _ in found)
            requests, outcomes = np.median(
                [one[1:] for one in found if one[0] == expected] or [(np.nan, np.nan)], axis=0
            )
            wrong = "stopped" if worse <= 0 else "full"
            yield (
                f"Canary, {name}, {worse:+}: {expected}",
                f"{counts[expected]} of {ramps}, {counts[wrong]} {wrong}; median {requests:,.0f} requests, {outcomes:,.0f} of it",
                f"{wrong} ≤ {ERROR:.0%}" if worse <= 0 or worse >= MARGIN else "",
            )


def level(runs: int) -> Iterator[Row]:
    """How often an end of the interval ever passed the truth, looking after each 10 requests (at a share of 0.5, 40,000 of
    them).
    """
    same: list[tuple[str, Losses, Losses]] = [
        ("errors 1 %", errors(0.01), errors(0.01)),
        ("errors 1 % / 2 %", errors(0.01), errors(0.02)),
        ("errors 10 %", errors(0.1), errors(0.1)),
        ("errors 10 % / 11 %", errors(0.1), errors(0.11)),
        ("errors 50 %", errors(0.5), errors(0.5)),
        ("errors 99 %", errors(0.99), errors(0.99)),
        ("Brier 0.18", squared_errors(0.18), squared_errors(0.18)),
        ("Brier 0.02 / 0.03", squared_errors(0.02), squared_errors(0.03)),
    ]
    for share, requests in ((0.01, 150_000), (0.5, 40_000)):
        for name, control, canary in same:
            rng = np.random.default_rng(4)
            wrong = experiments.ever_outside(control, canary, share, requests, 2 * ERROR, runs, rng)
            yield (
                f"Interval, {name}, share {share}, {requests:,} requests",
                f"above the truth in {wrong[0]:.1%} of {runs}, below it in {wrong[1]:.1%}",
                f"≤ {ERROR:.0%}",
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="worlds of each kind for Exp3")
    parser.add_argument("--bandits", type=int, default=10, help="runs of Thompson sampling")
    parser.add_argument("--ensembles", type=int, default=40, help="runs of Exp4")
    parser.add_argument("--ramps", type=int, default=20, help="canaries of each kind")
    parser.add_argument("--runs", type=int, default=1000, help="experiments for the level of the interval")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    chosen = parser.parse_args()
    console = Console(width=max(Console().width, 160))
    shown = Table(title="Simulated experiments", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "found", "should be"):
        shown.add_column(name)
    found: list[Row] = []
    parts = (
        exp3(chosen.seeds),
        thompson(chosen.bandits),
        exp4(chosen.ensembles),
        regressions(chosen.ramps),
        level(chosen.runs),
    )
    for part in parts:
        rows = list(part)
        found += rows
        for row in rows:
            shown.add_row(*row)
        shown.add_section()
    console.print(shown)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
