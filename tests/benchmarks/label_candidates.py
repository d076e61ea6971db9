"""Rows to label by hand: what their labels are worth, by how rows are chosen, and what choosing costs on a million rows.

Accuracy in percent on simulated votes of ten functions, of which 100 of 1,000 rows are labelled by hand: of the label model
alone, and of the labels where those of experts stand.
"""

import time

import duckdb
import numpy as np
from rich.console import Console
from rich.table import Table

from tests.label_candidates import LABELS, ROWS, WORTH, accuracies
from tests.made_up_labels import candidates
from tests.votes import REGIMES, World, with_near_copies

SEEDS = 10
WORTHS = {
    "candidates": WORTH,
    "uncertainty": "uncertainty",
    "uncertainty * density": "uncertainty * representativeness",
    "conflict * density": "conflict * representativeness",
    "(both) * density": "(uncertainty + conflict) / 2 * representativeness",
    "density": "representativeness",
}
MILLION = 1_000_000


def main() -> None:
    """Print both tables."""
    console = Console()
    worlds = {name: REGIMES[name] for name in ("sparse", "10 % positive", "four classes")} | {
        "near-copies": with_near_copies
    }
    table = Table(
        "chosen by", *worlds, title=f"Accuracy with {LABELS} of {ROWS} rows labelled: model, labels; {SEEDS} seeds"
    )
    found = {
        name: np.mean([accuracies(world(seed), seed, list(WORTHS.values())) for seed in range(SEEDS)], axis=0)
        for name, world in worlds.items()
    }
    for place, choice in enumerate(["(no labels)", "random", *WORTHS]):
        table.add_row(choice, *(f"{of[place][0] * 100:.2f}, {of[place][1] * 100:.2f}" for of in found.values()))
    console.print(table)
    console.print(cost())


def cost() -> Table:
    """Seconds of the query, by slices."""
    functions = [f"function_{place}" for place in range(10)]
    votes, _ = World.of_accuracies([0.75] * 10, [0.3] * 10, [0.7, 0.3]).draw(MILLION, 1)
    table = Table(
        "slices", "seconds", title=f"The best 100 of {MILLION:,} rows, {len(np.unique(votes, axis=0)):,} patterns"
    )
    with duckdb.connect() as connection:
        connection.register("drawn", dict(zip(functions, votes.T, strict=True)) | {"id": np.arange(MILLION)})
        shown = ", ".join(f"nullif({name}, -1) as {name}" for name in functions)
        connection.execute(f"create table votes as select 'row ' || id as id, id % 3 as site, {shown} from drawn")
        connection.execute(
            "create table labels as select id, 1 as label, 0.7 as probability, map(['0', '1'], [0.3, 0.7]) as probabilities, "
            "'functions' as source from votes"
        )
        for slices in ([], ["site"]):
            start = time.perf_counter()
            connection.execute(candidates("labels", "votes", "id", functions, slices, 100)).fetchall()
            table.add_row(", ".join(slices) or "none", f"{time.perf_counter() - start:.2f}")
    return table


if __name__ == "__main__":
    main()
