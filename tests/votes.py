"""Simulated votes of labelling functions with a known truth, and the posterior of who knows how they were made."""

import dataclasses
from dataclasses import dataclass, field

import numpy as np

ABSTAIN = -1


@dataclass(frozen=True)
class World:
    """How rows get their classes and functions vote.

    balance: shape (classes,); tables: shape (functions, classes + 1, classes), P(vote | class), place 0 the abstain;
    copies: a function to its source and the probability that it votes as that does; otherwise it votes by its own table.
    """

    balance: np.ndarray
    tables: np.ndarray
    copies: dict[int, tuple[int, float]] = field(default_factory=dict)

    @classmethod
    def of_accuracies(
        cls,
        accuracies: list[float],
        coverages: list[float],
        balance: list[float],
        copies: dict[int, tuple[int, float]] | None = None,
    ) -> "World":
        """Functions that vote on a share of the rows, whatever the class, and err evenly."""
        classes = len(balance)
        tables = np.empty((len(accuracies), classes + 1, classes))
        for table, accuracy, coverage in zip(tables, accuracies, coverages, strict=True):
            table[0] = 1 - coverage
            table[1:] = coverage * (1 - accuracy) / (classes - 1)
            table[1 + np.arange(classes), np.arange(classes)] = coverage * accuracy
        return cls(np.array(balance), tables, copies or {})

    def draw(self, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Votes, shape (rows, functions), -1 where one abstains, and the classes, shape (rows,)."""
        chance = np.random.default_rng(seed)
        truth = chance.choice(len(self.balance), size=rows, p=self.balance)
        votes = np.empty((rows, len(self.tables)), np.int8)
        for place, table in enumerate(self.tables):
            bounds = table.cumsum(axis=0)[:-1, truth]
            votes[:, place] = (chance.random(rows) > bounds).sum(axis=0) - 1
        for place, (source, fidelity) in sorted(self.copies.items()):
            votes[:, place] = np.where(chance.random(rows) < fidelity, votes[:, source], votes[:, place])
        return votes, truth

    def oracle(self, votes: np.ndarray) -> np.ndarray:
        """The posterior of each class, shape (rows, classes), by Bayes' rule on the true tables and copies."""
        likelihood = np.tile(self.balance, (len(votes), 1))
        for place, table in enumerate(self.tables):
            own = table[votes[:, place] + 1]
            if place in self.copies:
                source, fidelity = self.copies[place]
                own = fidelity * (votes[:, place] == votes[:, source])[:, None] + (1 - fidelity) * own
            likelihood *= own
        return likelihood / likelihood.sum(axis=1, keepdims=True)


def dense(seed: int = 0) -> World:
    """Ten functions that mostly vote."""
    accuracies = np.random.default_rng(seed).uniform(0.65, 0.9, 10)
    return World.of_accuracies(list(accuracies), [0.9] * 10, [0.5, 0.5])


def sparse(seed: int = 0) -> World:
    """Ten functions that mostly abstain."""
    accuracies = np.random.default_rng(seed).uniform(0.65, 0.95, 10)
    return World.of_accuracies(list(accuracies), [0.25] * 10, [0.5, 0.5])


def rare(seed: int = 0) -> World:
    """One row in ten is positive."""
    accuracies = np.random.default_rng(seed).uniform(0.7, 0.9, 10)
    return World.of_accuracies(list(accuracies), [0.8] * 10, [0.9, 0.1])


def four_classes(seed: int = 0) -> World:
    """Four classes of unequal size."""
    accuracies = np.random.default_rng(seed).uniform(0.6, 0.9, 10)
    return World.of_accuracies(list(accuracies), [0.7] * 10, [0.4, 0.3, 0.2, 0.1])


REGIMES = {"dense": dense, "sparse": sparse, "10 % positive": rare, "four classes": four_classes}


def with_near_copies(seed: int = 0, copies: int = 3, fidelity: float = 0.9) -> World:
    """Ten functions, the last of which near-copy the first."""
    accuracies = np.random.default_rng(seed).uniform(0.55, 0.85, 10)
    world = World.of_accuracies(list(accuracies), [0.8] * 10, [0.5, 0.5])
    return dataclasses.replace(world, copies={10 - copies + place: (0, fidelity) for place in range(copies)})
