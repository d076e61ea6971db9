"""Part one: the label model against the Bayes oracle, where functions are independent."""

import numpy as np

from tests.benchmarks.weak_supervision import contenders, measures
from tests.votes import REGIMES

TOLD = "snorkel, balance told"
NAMES = ("oracle", "ours", "majority vote", "triplet", "snorkel", TOLD)


def compare(rows: int, seeds: int) -> list[dict[str, object]]:
    """For each regime, measure and seed: {regime, measure, seed, <contender>: value}.

    Where one row in ten is positive, there is F1 of the positive class beside accuracy.
    """
    found: list[dict[str, object]] = []
    for regime, world_of in REGIMES.items():
        worlds = [world_of(seed) for seed in range(seeds)]
        drawn = [world.draw(rows, seed) for seed, world in enumerate(worlds)]
        matrices, balances = [votes for votes, _ in drawn], [world.balance for world in worlds]
        classes = len(balances[0])
        theirs = contenders.snorkel(matrices, classes, [None] * seeds)
        told = contenders.snorkel(matrices, classes, [*balances])
        for seed, (votes, truth) in enumerate(drawn):
            posteriors = {
                "oracle": worlds[seed].oracle(votes),
                "ours": contenders.label_model(votes, classes),
                "majority vote": contenders.majority_vote(votes, classes),
                "triplet": contenders.label_model(votes, classes, method="triplet"),
                "snorkel": theirs[seed],
                TOLD: told[seed],
            }
            for measure in (measures.accuracy, measures.f1)[: 2 if balances[0].min() <= 0.1 and classes == 2 else 1]:
                values = {name: measure(posterior, truth) for name, posterior in posteriors.items()}
                found.append({"regime": regime, "measure": measure.__name__, "seed": seed, **values})
    return found


def worst(runs: list[dict[str, object]]) -> float:
    """By how much ours is below the oracle at most."""
    return float(np.max([float(run["oracle"]) - float(run["ours"]) for run in runs]))  # type: ignore[arg-type]
