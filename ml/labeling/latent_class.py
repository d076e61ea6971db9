"""The latent class model of votes, learned by expectation-maximisation (Dawid and Skene 1979).

A row has a class, drawn from the balance. Each group of functions votes by a table of its own, P(the group's votes | class); a
function that is independent of the others given the class is a group of one. Abstaining is a vote like any other, so it
tells something where it depends on the class.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from ml.labeling.patterns import Patterns, distinct

Groups = tuple[tuple[int, ...], ...]
"""The functions, by place, that depend on each other given the class; every function is in one group."""

PRIOR_ROWS = 1.0
"""Of how many rows a table's prior is worth: a function's, as it votes whatever the class; a group's, as if its functions were
independent. So a function that always does the same says nothing, exactly."""
PRIOR_VOTES = 100.0
"""Of how many votes an accuracy that is known beforehand is worth, unless it is said."""
FLOOR = 1e-300
"""The least probability, whose logarithm is finite."""
_MOST_ITERATIONS = 1000


@dataclass(frozen=True)
class Task:
    """What is to be fitted.

    balance: shape (classes,), where it is given; accuracies: of some functions, by place, how often a vote is right and of how
    many votes that knowledge is worth.
    """

    patterns: Patterns
    classes: int
    balance: np.ndarray | None = None
    accuracies: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    @property
    def functions(self) -> int:
        """How many vote."""
        return int(self.patterns.votes.shape[1])


@dataclass(frozen=True)
class Tables:
    """What is learned.

    balance: shape (classes,); marginals: P(vote | class), shape (functions, classes + 1, classes), place 0 the abstain;
    joint: P(votes | class) of each combination of a group of several functions, shape (combinations, classes); class_rows: the
    expected rows of each class.
    """

    balance: np.ndarray
    marginals: np.ndarray
    joint: list[np.ndarray]
    class_rows: np.ndarray


@dataclass(frozen=True)
class Fit:
    """Tables, the combinations of votes that the joint ones are of, and what they say of the patterns they were learned from."""

    groups: Groups
    tables: Tables
    combinations: list[np.ndarray]
    posterior: np.ndarray
    log_likelihood: float

    @property
    def bic(self) -> float:
        """The log-likelihood less the price of the free numbers (Schwarz 1978); the higher the better."""
        classes = len(self.tables.balance)
        levels = (self.tables.marginals > FLOOR).any(axis=2).sum(axis=1)
        alone = sum(int(levels[group[0]]) - 1 for group in self.groups if len(group) == 1)
        together = sum(len(table) - 1 for table in self.tables.joint)
        price = np.log(self.tables.class_rows.sum()) / 2
        return float(self.log_likelihood - price * (classes - 1 + classes * (alone + together)))


class Design:
    """The patterns as a sparse matrix with a column for each vote of each function, and each combination of a group."""

    def __init__(self, task: Task, groups: Groups) -> None:
        votes, levels = task.patterns.votes, task.classes + 1
        self.task, self.groups = task, groups
        self.single = [group[0] for group in groups if len(group) == 1]
        self.several = [group for group in groups if len(group) > 1]
        found = [distinct([votes[:, place] for place in group]) for group in self.several]
        self.combinations = [
            votes[first][:, list(group)] for (first, _), group in zip(found, self.several, strict=True)
        ]
        self.bounds = np.cumsum([task.functions * levels, *(len(first) for first, _ in found)])
        columns = [votes[:, place].astype(np.int64) + 1 + place * levels for place in self.single]
        columns += [inverse + low for (_, inverse), low in zip(found, self.bounds, strict=False)]
        self.matrix = _indicator(columns, int(self.bounds[-1]))
        self.counted = self.matrix.T.tocsr()
        total = task.patterns.counts.sum()
        self.rates = np.stack(
            [np.bincount(votes[:, place] + 1, task.patterns.counts, levels) / total for place in range(task.functions)]
        )
        self.known = np.flatnonzero(task.patterns.gold >= 0)

    def fit(self, posterior: np.ndarray, tolerance: float = 1e-10) -> Fit:
        """Learn from a first guess of each pattern's classes, shape (patterns, classes), until an iteration adds less than
        the tolerance to the mean log-likelihood of a row.
        """
        rows = self.task.patterns.counts.sum()
        before = -np.inf
        posterior = self._clamp(posterior.copy())
        for _ in range(_MOST_ITERATIONS):
            tables = self.tables(posterior)
            posterior, likelihood = self._expect(tables)
            if likelihood - before < tolerance * rows:
                break
            before = likelihood
        return Fit(self.groups, tables, self.combinations, posterior, likelihood)

    def _clamp(self, posterior: np.ndarray) -> np.ndarray:
        """A class that is known is certain."""
        posterior[self.known] = 0
        posterior[self.known, self.task.patterns.gold[self.known]] = 1
        return posterior

    def _expect(self, tables: Tables) -> tuple[np.ndarray, float]:
        """The posterior of each pattern, and the log-likelihood of all rows."""
        joint = self.matrix @ np.log(np.concatenate([tables.marginals.reshape(-1, self.task.classes), *tables.joint]))
        joint += np.log(np.maximum(tables.balance, FLOOR))
        # Column by column: reductions along short rows are slow.
        greatest = functools.reduce(np.maximum, joint.T)
        posterior = np.exp(joint - greatest[:, None])
        total = functools.reduce(np.add, posterior.T)
        evidence = np.log(total) + greatest
        evidence[self.known] = joint[self.known, self.task.patterns.gold[self.known]]
        posterior /= total[:, None]
        return self._clamp(posterior), float((self.task.patterns.counts * evidence).sum())

    def tables(self, posterior: np.ndarray) -> Tables:
        """The tables that are likeliest where rows have these classes, and their priors."""
        task = self.task
        counts = posterior * task.patterns.counts[:, None]
        class_rows = counts.sum(axis=0)
        balance = class_rows / class_rows.sum() if task.balance is None else task.balance
        seen = self.counted @ counts
        votes = seen[: self.bounds[0]].reshape(task.functions, -1, task.classes)
        together = np.split(seen[self.bounds[0] :], self.bounds[1:-1] - self.bounds[0])[: len(self.several)]
        for group, combinations, rows in zip(self.several, self.combinations, together, strict=True):
            for place, column in zip(group, combinations.T, strict=True):
                np.add.at(votes[place], column + 1, rows)
        believed = {place: _believed(votes[place], *known) for place, known in task.accuracies.items()}
        for group, combinations, rows in zip(self.several, self.combinations, together, strict=True):
            for place, column in zip(group, combinations.T, strict=True):
                if place in believed:
                    share = rows / np.maximum(votes[place], FLOOR)[column + 1]
                    rows += share * believed[place][column + 1]
        for place, more in believed.items():
            votes[place] += more
        marginals = _with_prior(votes, self.rates[:, :, None])
        joint = [
            _with_prior(rows, independent(marginals, group, combinations))
            for group, combinations, rows in zip(self.several, self.combinations, together, strict=True)
        ]
        return Tables(balance, marginals, joint, class_rows)


def independent(marginals: np.ndarray, group: tuple[int, ...], combinations: np.ndarray) -> np.ndarray:
    """The probability of combinations of a group's votes if its functions were independent: shape (combinations, classes)."""
    product = np.ones((len(combinations), marginals.shape[2]))
    for place, column in zip(group, combinations.T, strict=True):
        product *= marginals[place][column + 1]
    return product


def _with_prior(rows: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Probabilities from the rows of each vote and class, in the last two axes."""
    total = rows.sum(axis=-2, keepdims=True) + PRIOR_ROWS
    # What was never seen is as unlikely in every class, so that it says nothing.
    return np.asarray(np.maximum((rows + PRIOR_ROWS * prior) / total, FLOOR))


def _believed(votes: np.ndarray, accuracy: float, worth: float) -> np.ndarray:
    """Votes, shape (classes + 1, classes), as a function of that accuracy casts them; it abstains as it does now."""
    classes = votes.shape[1]
    cast = np.maximum(votes[1:].sum(axis=0), FLOOR)
    wrong = (1 - accuracy) / (classes - 1)
    shares = np.full((classes, classes), wrong) + (accuracy - wrong) * np.eye(classes)
    rows = worth * cast / cast.sum()
    return np.asarray(np.concatenate([(rows * votes[0] / cast)[None], rows * shares]))


def _indicator(columns: list[np.ndarray], width: int) -> csr_matrix:
    """A sparse matrix of ones at the given columns, one of each array in every row."""
    places = np.stack(columns, axis=1)
    ends = np.arange(0, places.size + 1, len(columns))
    return csr_matrix((np.ones(places.size), places.ravel(), ends), (len(places), width))
