"""Random worlds: few rows and many, two to four classes, rare and frequent voters, copies of every kind, or none."""

import numpy as np

from tests.benchmarks.weak_supervision import contenders, measures
from tests.votes import World

NAMES = ("oracle", "ours", "plain EM", "majority vote")


def compare(number: int) -> list[dict[str, float]]:
    """Of each world its classes, rows and copies, and the accuracy of each contender over the rows that have a vote."""
    chance = np.random.default_rng(1)
    found = []
    for seed in range(number):
        world, rows = _random(chance)
        votes, truth = world.draw(rows, seed)
        classes = len(world.balance)
        voted = (votes >= 0).any(axis=1)
        posteriors = {
            "oracle": world.oracle(votes),
            "ours": contenders.label_model(votes, classes),
            "plain EM": contenders.label_model(votes, classes, dependencies=None),
            "majority vote": contenders.majority_vote(votes, classes),
        }
        reached = {name: measures.accuracy(posterior[voted], truth[voted]) for name, posterior in posteriors.items()}
        found.append({"classes": classes, "rows": rows, "copies": len(world.copies), **reached})
    return found


def _random(chance: np.random.Generator) -> tuple[World, int]:
    functions, classes = int(chance.integers(4, 14)), int(chance.choice([2, 2, 2, 3, 4]))
    rows = int(chance.choice([500, 1_000, 2_000, 5_000, 20_000]))
    accuracies = chance.uniform(0.5 if classes == 2 else 0.4, 0.9, functions)
    coverages = chance.uniform(0.1, 0.9, functions)
    copies = {
        functions - 1 - place: (int(chance.integers(0, 2)), float(chance.choice([0.5, 0.7, 0.9, 0.97])))
        for place in range(min(int(chance.integers(0, 4)), max(functions - 5, 0)))
    }
    balance = chance.dirichlet([4] * classes)
    return World.of_accuracies(list(accuracies), list(coverages), list(balance), copies), rows
