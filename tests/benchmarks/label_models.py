"""Labels by weak supervision, side by side with snorkel 0.10. Printed, not asserted.

Accuracy on simulated votes (tests/votes.py) against the Bayes oracle; near-copies among the functions; the cost of applying ten
rules to texts and of fitting. snorkel runs in an environment that is made under `warehouse/benchmarks`, with its own settings.

    python tests/benchmarks/label_models.py --parts accuracy copies --json found.json
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.weak_supervision import accuracy, copies, speed, worlds
from tests.votes import World, dense, with_near_copies

CONSOLE = Console(width=max(Console().width, 140))
PARTS = ("accuracy", "copies", "worlds", "applying", "fitting")
FITTED = {"independent": dense(), "with near-copies": with_near_copies()}
CONTENDERS = {
    "sql": "eiderdown: case expressions in DuckDB",
    "loop": "Python: re.search in a loop",
    "lf_applier": "snorkel: LFApplier",
    "pandas_lf_applier": "snorkel: PandasLFApplier",
    "table": "eiderdown: from a table",
    "matrix": "eiderdown: LabelModel",
    "snorkel": "snorkel: LabelModel",
}


def show_accuracy(rows: int, seeds: int) -> object:
    """Part one."""
    found = accuracy.compare(rows, seeds)
    shown = _table(
        f"{rows:,} rows, 10 independent functions, mean of {seeds} seeds; the class balance not told but where said"
    )
    for name in ("", *accuracy.NAMES, "oracle - ours, at most"):
        shown.add_column(name, justify="right" if name else "left")
    for regime, measure in dict.fromkeys((run["regime"], run["measure"]) for run in found):
        runs = [run for run in found if (run["regime"], run["measure"]) == (regime, measure)]
        means = [f"{np.mean([run[name] for run in runs]):.4f}" for name in accuracy.NAMES]
        shown.add_row(f"{regime}, {measure}", *means, f"{accuracy.worst(runs):.4f}")
    CONSOLE.print(shown)
    return found


def show_copies(rows: int, seeds: int, number: int, fidelity: float) -> object:
    """Part two."""
    found = copies.compare(rows, seeds, number, fidelity)
    shown = _table(f"{rows:,} rows, {number} of 10 functions copy another in {fidelity:.0%} of rows; accuracy")
    for name in ("seed", *copies.NAMES):
        shown.add_column(name, justify="right")
    for run in found:
        shown.add_row(str(run["seed"]), *(f"{run[name]:.4f}" for name in copies.NAMES))
    shown.add_section()
    shown.add_row("mean", *(f"{np.mean([run[name] for run in found]):.4f}" for name in copies.NAMES))
    shown.add_row("≥ majority", *(f"{copies.at_least_majority(found, name)} of {seeds}" for name in copies.NAMES))
    shown.add_row("gap closed", *(f"{copies.gap_closed(found, name):.0%}" for name in copies.NAMES))
    CONSOLE.print(shown)
    return found


def show_worlds(number: int) -> object:
    """Part two, beyond one kind of copies: by what the worlds have."""
    found = worlds.compare(number)
    shown = _table("Random worlds of 500 to 20,000 rows: mean accuracy, and in how many ours is below majority vote")
    for name in ("", "worlds", *worlds.NAMES, "below", "by 0.005"):
        shown.add_column(name, justify="right" if name else "left")
    kinds = {
        "all": found,
        "with copies": [run for run in found if run["copies"]],
        "without": [run for run in found if not run["copies"]],
        "up to 1,000 rows": [run for run in found if run["rows"] <= 1_000],
        "5,000 rows and more": [run for run in found if run["rows"] >= 5_000],
    }
    for kind, runs in kinds.items():
        means = [f"{np.mean([run[name] for run in runs]):.4f}" for name in worlds.NAMES]
        below = [sum(run["ours"] < run["majority vote"] - margin for run in runs) for margin in (0, 0.005)]
        shown.add_row(kind, str(len(runs)), *means, *map(str, below))
    CONSOLE.print(shown)
    return found


def show_applying(rows: int, rounds: int) -> object:
    """Part three, the rules."""
    costs = speed.applying(rows, rounds)
    shown = _table(f"10 rules on {rows:,} texts, the same votes in each cell; median of {rounds}")
    for name in ("", "s", "CPU s", "times ours, s", "times ours, CPU", "imports, CPU s"):
        shown.add_column(name, justify="right" if name else "left")
    (ours,) = costs["sql"]
    for name, (one,) in costs.items():
        times = (f"{one[key] / ours[key]:.0f}" for key in ("seconds", "cpu"))
        shown.add_row(CONTENDERS[name], f"{one['seconds']:.3f}", f"{one['cpu']:.3f}", *times, f"{one['start_cpu']:.1f}")
    _print(shown)
    return costs


def show_fitting(rows: int, rounds: int) -> object:
    """Part three, the fit: independent functions, and such as have to be found to be copies."""
    return {name: _show_fit(name, world, rows, rounds) for name, world in FITTED.items()}


def _show_fit(name: str, world: World, rows: int, rounds: int) -> object:
    costs, reached = speed.fitting(world, rows, rounds)
    shown = _table(f"{rows:,} x 10 votes, {name}, median of {rounds}; the oracle's accuracy is {reached['oracle']:.4f}")
    columns = ["fit, s", "CPU s", "posteriors, s", "CPU s", "snorkel's fit takes", "CPU", "accuracy", "imports, CPU s"]
    for column in ("", *columns):
        shown.add_column(column, justify="right" if column else "left")
    for contender, (fit, posteriors) in costs.items():
        taken = [f"{one[key]:.2f}" for one in (fit, posteriors) for key in ("seconds", "cpu")]
        times = [f"{costs['snorkel'][0][key] / fit[key]:.1f} x" for key in ("seconds", "cpu")]
        shown.add_row(CONTENDERS[contender], *taken, *times, f"{reached[contender]:.4f}", f"{fit['start_cpu']:.1f}")
    _print(shown)
    return {"costs": costs, "accuracy": reached}


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)


def _print(shown: Table) -> None:
    CONSOLE.print(shown)
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    CONSOLE.print(f"  {cores} cores, load average at the end {load:.1f}.", highlight=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the simulated votes, and texts")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each regime of part one")
    parser.add_argument("--copy-seeds", type=int, default=20, help="seeds of part two")
    parser.add_argument("--copies", type=int, default=3, help="near-copies among the ten functions")
    parser.add_argument("--fidelity", type=float, default=0.9, help="the share of rows in which they copy")
    parser.add_argument("--worlds", type=int, default=100, help="how many random worlds")
    parser.add_argument("--fit-rows", type=int, default=1_000_000, help="rows to fit")
    parser.add_argument("--rounds", type=int, default=3, help="of what is timed, the median of this many")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    chosen = parser.parse_args()
    parts = {
        "accuracy": lambda: show_accuracy(chosen.rows, chosen.seeds),
        "copies": lambda: show_copies(chosen.rows, chosen.copy_seeds, chosen.copies, chosen.fidelity),
        "worlds": lambda: show_worlds(chosen.worlds),
        "applying": lambda: show_applying(chosen.rows, chosen.rounds),
        "fitting": lambda: show_fitting(chosen.fit_rows, chosen.rounds),
    }
    found = {part: parts[part]() for part in PARTS if part in chosen.parts}
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
