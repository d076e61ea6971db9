"""Part three: what applying rules and fitting cost, side by side with snorkel; each run in a process of its own."""

import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.benchmarks.weak_supervision import contenders, measures, rules
from tests.votes import World

Costs = dict[str, list[dict[str, float]]]
"""{contender: what it measured, each the median of the rounds}."""


def applying(rows: int, rounds: int) -> Costs:
    """Ten rules on texts. Raises SystemExit where the matrices are not the same in each cell."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "texts.json").write_text(json.dumps(rules.texts(rows, seed=0)))
        scripts = {"sql": contenders.ours, "loop": contenders.ours}
        scripts |= {"lf_applier": contenders.theirs, "pandas_lf_applier": contenders.theirs}
        costs = _medians({one: script("applied.py", one, folder) for one, script in scripts.items()}, rounds)
        matrices = {one: np.load(folder / f"{one}.npy") for one in scripts}
        differ = [one for one, votes in matrices.items() if not np.array_equal(votes, matrices["sql"])]
        if differ:
            raise SystemExit(f"{', '.join(differ)}: other votes than SQL.")
        return costs


def fitting(world: World, rows: int, rounds: int) -> tuple[Costs, dict[str, float]]:
    """A fit and the posteriors of all rows, of two classes; and the accuracy of each contender, and of the oracle."""
    votes, truth = world.draw(rows, seed=0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "votes.npy", votes)
        scripts: dict[str, Callable[..., list[object]]] = {"table": contenders.ours, "matrix": contenders.ours}
        scripts["snorkel"] = contenders.theirs
        costs = _medians({one: script("fitted.py", one, folder, 2) for one, script in scripts.items()}, rounds)
        reached = {one: measures.accuracy(np.load(folder / f"{one}.npy"), truth) for one in scripts}
        return costs, {"oracle": measures.accuracy(world.oracle(votes), truth), **reached}


def _medians(commands: dict[str, list[object]], rounds: int) -> Costs:
    """The rounds go through all contenders in turn."""
    runs: dict[str, list[list[dict[str, float]]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(contenders.run(command))
    return {
        name: [{key: statistics.median(one[key] for one in part) for key in part[0]} for part in zip(*of, strict=True)]
        for name, of in runs.items()
    }
