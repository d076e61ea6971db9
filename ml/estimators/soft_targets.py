"""Soft targets, which are probabilities of classes, as hard ones with weights."""

import numpy as np


def by_class(task: str, target: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each row once for each class that it may have, weighted by that class's probability: the same expected loss.

    target, weights: as TrainingData has them, of a binary or multiclass task. Returns the places of the rows, their classes
    (float64) and their weights, each of shape (rows and classes,). Hard targets stay as they are.

    >>> [part.tolist() for part in by_class("binary", np.array([0.25, 1.0]), None)]
    [[0, 0, 1], [0.0, 1.0, 1.0], [0.75, 0.25, 1.0]]
    """
    if task == "binary":
        shares = np.column_stack([1 - target, target])
    elif target.ndim == 2:
        shares = target
    else:
        return np.arange(len(target)), target, np.ones(len(target)) if weights is None else weights
    rows, classes = np.nonzero(shares)
    found = shares[rows, classes]
    return rows, classes.astype(np.float64), found if weights is None else found * weights[rows]
