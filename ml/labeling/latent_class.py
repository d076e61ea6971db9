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
from scipy.special import gammaln

from ml.labeling.patterns import Patterns, distinct

Groups = tuple[tuple[int, ...], ...]
"""The functions, by place, that depend on each other given the class; every function is in one group."""

PRIOR_ROWS = 1.0
"""Of how many rows a table's prior is worth: a function's, as it votes whatever the class; a group's, as if its functions were
independent. So a function that always does the same says nothing, exactly."""
PRIOR_VOTES = 40.0
"""Of how many votes is worth what is believed of every function beforehand: that it is right somewhat more often than by chance
(PRIOR_SKILL of the way from there to always). It keeps a few hundred rows from telling a story of their own."""
PRIOR_SKILL = 0.4
FLOOR = 1e-300
"""The least probability, whose logarithm is finite."""
STRENGTHS = (1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Task:
    """What is to be fitted.

    balance: shape (classes,), where it is given; accuracies: of some functions, by place, how often a vote is right and of how
    many votes that knowledge is worth, in the place of what is believed of every function.
    """

    patterns: Patterns
    classes: int
    balance: np.ndarray | None = None
    accuracies: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    @property
    def functions(self) -> int:
        """How many vote."""
        return int(self.patterns.votes.shape[1])

    @functools.cached_property
    def beliefs(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each function how often it is right where it votes, and of how many votes that is worth."""
        chance = 1 / self.classes
        usual = (chance + PRIOR_SKILL * (1 - chance), PRIOR_VOTES)
        accuracies, worths = np.array([self.accuracies.get(place, usual) for place in range(self.functions)]).T
        return accuracies, worths


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
    def evidence(self) -> float:
        """How well the structure explains the votes, about the logarithm of their marginal likelihood (Cheeseman and Stutz
        1996): that of the completed rows, with Dirichlet priors on the tables, corrected by what completing them has added.

        A group's prior is centred at independence, with the strength of STRENGTHS that explains it best: so a table of many
        combinations costs what it says beyond independence, and not what its size is.
        """
        tables = self.tables
        rates = (tables.marginals * tables.class_rows).sum(axis=2, keepdims=True) / tables.class_rows.sum()
        change = 0.0
        for table, rate in zip(tables.marginals, rates, strict=True):
            seen = table[:, 0] > FLOOR
            change += _gain(table[seen], tables.class_rows, rate[seen], (float(len(table)),))
        several = [group for group in self.groups if len(group) > 1]
        for group, combinations, table in zip(several, self.combinations, tables.joint, strict=True):
            change += _gain(table, tables.class_rows, independent(tables.marginals, group, combinations), STRENGTHS)
        return self.log_likelihood + change


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

    def fit(self, posterior: np.ndarray, tolerance: float = 1e-10, iterations: int = 1000) -> Fit:
        """Learn from a first guess of each pattern's classes, shape (patterns, classes), until an iteration adds less than
        the tolerance to the mean log-likelihood of a row, or after so many.
        """
        rows = self.task.patterns.counts.sum()
        before = -np.inf
        posterior = self._clamp(posterior.copy())
        for _ in range(iterations):
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
        believed = self._believed(votes)
        for group, combinations, rows in zip(self.several, self.combinations, together, strict=True):
            for place, column in zip(group, combinations.T, strict=True):
                rows += rows / np.maximum(votes[place], FLOOR)[column + 1] * believed[place][column + 1]
        votes += believed
        marginals = _with_prior(votes, self.rates[:, :, None])
        joint = [
            _with_prior(rows, independent(marginals, group, combinations))
            for group, combinations, rows in zip(self.several, self.combinations, together, strict=True)
        ]
        return Tables(balance, marginals, joint, class_rows)

    def _believed(self, votes: np.ndarray) -> np.ndarray:
        """What is believed of functions beforehand, as votes that they might have cast: shape of `votes`.

        They vote and abstain in each class in proportion as they do, and err evenly; a function that never votes gets none.
        """
        accuracies, worths = self.task.beliefs
        cast = votes[:, 1:].sum(axis=1)
        total = cast.sum(axis=1)
        scale = np.divide(worths, total, out=np.zeros_like(total), where=total > 0)
        wrong = (1 - accuracies) / (self.task.classes - 1)
        right = wrong[:, None, None] + (accuracies - wrong)[:, None, None] * np.eye(self.task.classes)
        return np.asarray(scale[:, None, None] * np.concatenate([votes[:, :1], cast[:, None] * right], axis=1))


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


def _gain(table: np.ndarray, class_rows: np.ndarray, prior: np.ndarray, strengths: tuple[float, ...]) -> float:
    """The log-probability of the rows that a table expects under a Dirichlet prior, of the best strength, less that under the
    table itself. table, prior: shape (votes, classes); a prior is the same in each class where it has one column.
    """
    rows = table * class_rows
    found = []
    for strength in strengths:
        pseudo = strength * np.maximum(np.broadcast_to(prior, rows.shape), 1e-12)
        total = gammaln(strength) - gammaln(strength + rows.sum(axis=0))
        found.append(float(total.sum() + (gammaln(pseudo + rows) - gammaln(pseudo)).sum()))
    return max(found) - float((rows * np.log(table)).sum())


def _indicator(columns: list[np.ndarray], width: int) -> csr_matrix:
    """A sparse matrix of ones at the given columns, one of each array in every row."""
    places = np.stack(columns, axis=1)
    ends = np.arange(0, places.size + 1, len(columns))
    return csr_matrix((np.ones(places.size), places.ravel(), ends), (len(places), width))
