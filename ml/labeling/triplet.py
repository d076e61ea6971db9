"""The triplet method: accuracies in closed form, from how often pairs of functions agree (Fu et al. 2020, "FlyingSquid").

Of two functions that err independently and evenly over the wrong classes, the agreement beyond chance is the product of what
each has beyond chance; three products give each factor. The median over all triplets is taken, since some divide by little.
"""

import itertools

import numpy as np

from ml.labeling.latent_class import FLOOR, PRIOR_BALANCE, Tables, Task
from ml.labeling.majority_vote import majority

_BOUNDS = (0.01, 0.99)
# Pairs whose agreement is nearer to chance than this say nothing of a third.
_LEAST = 1e-4


def triplet(task: Task) -> Tables:
    """The tables of independent functions. The balance is that of the majority vote where it is not given."""
    patterns, classes = task.patterns, task.classes
    beyond = _agreement_beyond_chance(task)
    accuracies = np.empty(task.functions)
    for place in range(task.functions):
        others = [other for other in range(task.functions) if other != place]
        found = [
            abs(beyond[place, one] * beyond[place, two] / beyond[one, two]) ** 0.5
            for one, two in itertools.combinations(others, 2)
            if abs(beyond[one, two]) > _LEAST
        ]
        # Better than chance, as the method assumes; 0 beyond it where nothing is known.
        factor = float(np.median(found)) if found else 0.0
        accuracies[place] = np.clip(factor * (classes - 1) / classes + 1 / classes, *_BOUNDS)
    voted = patterns.votes >= 0
    coverage = (voted * patterns.counts[:, None]).sum(axis=0) / patterns.counts.sum()
    marginals = np.empty((task.functions, classes + 1, classes))
    for table, accuracy, share in zip(marginals, accuracies, coverage, strict=True):
        wrong = (1 - accuracy) / (classes - 1)
        table[0] = 1 - share
        table[1:] = share * (wrong + (accuracy - wrong) * np.eye(classes))
    voted_rows = patterns.counts * voted.any(axis=1)
    shares = voted_rows @ majority(patterns.votes, classes)
    # A class that is never in the majority is rare, and not impossible.
    shares += PRIOR_BALANCE / classes
    balance = shares / shares.sum() if task.balance is None else task.balance
    return Tables(balance, np.maximum(marginals, FLOOR), [], balance * patterns.counts.sum())


def _agreement_beyond_chance(task: Task) -> np.ndarray:
    """Of each pair, over the rows where both vote: 0 of pairs that agree by chance, 1 of copies; NaN-free."""
    patterns, classes = task.patterns, task.classes
    beyond = np.zeros((task.functions, task.functions))
    for one, two in itertools.combinations(range(task.functions), 2):
        votes = patterns.votes[:, one], patterns.votes[:, two]
        both = patterns.counts * (votes[0] >= 0) * (votes[1] >= 0)
        if both.sum():
            agreement = (both * (votes[0] == votes[1])).sum() / both.sum()
            beyond[one, two] = beyond[two, one] = (agreement - 1 / classes) * classes / (classes - 1)
    return beyond
