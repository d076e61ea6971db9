"""Which functions depend on each other given the class, such as copies and near-copies, found from their votes alone.

Where functions are copies, the likeliest independent latent class is what the copies say, and not the class. So it does not help
to look for dependence that such a fit leaves: it is left among all others. Instead, whole structures are compared: functions are
joined by how much their votes tell of each other (average linkage), and of each partition on the way a latent class model is
fitted, with a joint table for each group. What the votes speak for most is then improved by single moves.
"""

import functools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import xlogy
from scipy.stats import chi2

from ml.labeling.latent_class import FLOOR, Design, Fit, Groups, Task
from ml.labeling.majority_vote import vote_shares

# Fewer groups do not tell a latent class (Kruskal 1977; Allman et al. 2009).
FEWEST_GROUPS = 3
# How improbable, over all pairs, the votes of independent functions have to be before a structure is looked for.
_LEVEL = 1e-3
# Structures are compared on about so many patterns at most, and less exactly than the one that is chosen is fitted: those that
# explain the votes well are quickly found to, the others take hundreds of iterations.
_MOST_PATTERNS = 20_000
_SEARCH: dict[str, Any] = {"tolerance": 1e-7, "iterations": 50}
# After so many joins that do not make a partition better, no further one is tried.
_PATIENCE = 3
_MOVES = 4
# What a join must explain, in nats a row, on top of being real. Functions of real rows are never quite independent, and of
# hundreds of thousands of rows the evidence would join them all, until too few groups are left to tell the class by. A near-copy
# explains 0.1 and more.
_LEAST_GAIN = 0.02


def fit(task: Task, groups: Groups, **limits: Any) -> Fit:
    """The latent class model with these groups, from the majority vote in which each group has one vote.

    limits: tolerance and iterations, as Design.fit has them.
    """
    weights = np.ones(task.functions)
    for group in groups:
        weights[list(group)] = 1 / len(group)
    for place, (accuracy, _) in task.accuracies.items():
        weights[place] *= max(np.log(accuracy / (1 - accuracy)), 0.0)
    return Design(task, groups).fit(vote_shares(task.patterns.votes, task.classes, weights), **limits)


def alone(functions: int) -> Groups:
    """The structure in which functions are independent given the class."""
    return tuple((place,) for place in range(functions))


def detect(task: Task) -> Fit:
    """The latent class model with the groups that the votes speak for; independent functions where these explain them."""
    found = fit(task, alone(task.functions))
    if task.functions <= FEWEST_GROUPS or not unexplained(task, found):
        return found
    groups = _search(_sampled(task))
    return found if groups == found.groups else fit(task, groups)


def unexplained(task: Task, found: Fit) -> list[tuple[int, int]]:
    """The pairs of functions whose votes depend on each other beyond what a fit explains, the most dependent first.

    By the likelihood ratio of a pair's table of votes against the one that the fit implies, at a level shared by all pairs.
    """
    group_of = {place: group for group in found.groups for place in group}
    pairs = [(i, j) for i in range(task.functions) for j in range(i) if group_of[i] is not group_of[j]]
    marginals, balance = found.tables.marginals, found.tables.balance
    ratios = []
    for pair in pairs:
        table = _pair_table(task, *pair)
        implied = np.einsum("ay,by,y->ab", *marginals[list(pair)], balance) * table.sum()
        levels = [int((table.sum(axis=axis) > 0).sum()) - 1 for axis in (0, 1)]
        limit = _limit(_LEVEL / len(pairs), max(levels[0] * levels[1], 1))
        ratio = 2 * float((xlogy(table, table) - xlogy(table, np.maximum(implied, FLOOR))).sum())
        ratios.append((ratio / limit, pair))
    return [pair for ratio, pair in sorted(ratios, reverse=True) if ratio > 1]


@functools.cache
def _limit(level: float, freedom: int) -> float:
    return float(chi2.isf(level, freedom))


def _search(task: Task) -> Groups:
    best = _best(task, _joined(_association(task)), _PATIENCE)
    tried = {best.groups}
    while True:
        moves = [groups for groups in _moves(task, best) if groups not in tried]
        if not moves:
            return best.groups
        tried |= set(moves)
        moved = _best(task, moves, len(moves))
        if _worth(task, moved) <= _worth(task, best):
            return best.groups
        best = moved


def _best(task: Task, structures: Iterable[Groups], patience: int) -> Fit:
    """The fit of the most evidence, of structures in their order, until so many in a row are no better."""
    best, worse = None, 0
    for groups in structures:
        found = fit(task, groups, **_SEARCH)
        if best is None or _worth(task, found) > _worth(task, best):
            best, worse = found, 0
        else:
            worse += 1
            if worse >= patience:
                break
    assert best is not None, "there is at least the structure of independent functions"
    return best


def _worth(task: Task, found: Fit) -> float:
    joins = task.functions - len(found.groups)
    return found.evidence - _LEAST_GAIN * joins * float(task.patterns.counts.sum())


def _joined(association: np.ndarray) -> Iterable[Groups]:
    """Partitions from single functions on, each with the two groups joined that are nearest by average linkage."""
    groups = alone(len(association))
    yield groups
    while len(groups) > FEWEST_GROUPS:
        _, first, second = max(
            (float(association[np.ix_(one, other)].mean()), one, other)
            for place, one in enumerate(groups)
            for other in groups[:place]
        )
        groups = _join(groups, first, second)
        yield groups


def _moves(task: Task, found: Fit) -> list[Groups]:
    """The neighbours of a structure: groups joined that are most dependent, and functions parted from their group."""
    group_of = {place: group for group in found.groups for place in group}
    joins = [(group_of[i], group_of[j]) for i, j in unexplained(task, found)]
    neighbours = [_join(found.groups, *pair) for pair in list(dict.fromkeys(joins))[:_MOVES]]
    for group in found.groups:
        if len(group) > 1:
            others = tuple(other for other in found.groups if other != group)
            neighbours += [
                tuple(sorted((*others, (place,), tuple(left for left in group if left != place)))) for place in group
            ]
    return [groups for groups in dict.fromkeys(neighbours) if len(groups) >= FEWEST_GROUPS]


def _join(groups: Groups, one: tuple[int, ...], other: tuple[int, ...]) -> Groups:
    left = [group for group in groups if group not in (one, other)]
    return tuple(sorted([*left, tuple(sorted(one + other))]))


def _association(task: Task) -> np.ndarray:
    """How much the votes of two functions tell of each other: their mutual information, as a share of the lesser entropy."""
    shares = [
        np.bincount(task.patterns.votes[:, place] + 1, task.patterns.counts) / task.patterns.counts.sum()
        for place in range(task.functions)
    ]
    entropy = np.array([-xlogy(share, share).sum() for share in shares])
    association = np.zeros((task.functions, task.functions))
    for i in range(task.functions):
        for j in range(i):
            table = _pair_table(task, i, j)
            table /= table.sum()
            both = -xlogy(table, table).sum()
            least = max(min(entropy[i], entropy[j]), 1e-12)
            association[i, j] = association[j, i] = (entropy[i] + entropy[j] - both) / least
    return association


def _pair_table(task: Task, i: int, j: int) -> np.ndarray:
    """How many rows have each vote of one function and each of another: shape (classes + 1, classes + 1)."""
    levels = task.classes + 1
    votes = task.patterns.votes
    places = (votes[:, i].astype(np.int64) + 1) * levels + votes[:, j] + 1
    return np.bincount(places, task.patterns.counts, levels**2).reshape(levels, levels)


def _sampled(task: Task) -> Task:
    """A sample of the rows, always the same, with fewer patterns."""
    patterns = task.patterns
    share = _MOST_PATTERNS / len(patterns.counts)
    if share >= 1:
        return task
    counts = np.random.default_rng(0).binomial(np.rint(patterns.counts).astype(np.int64), share)
    kept = counts > 0
    part = replace(
        patterns, votes=patterns.votes[kept], counts=counts[kept].astype(np.float64), gold=patterns.gold[kept]
    )
    return replace(task, patterns=part)
