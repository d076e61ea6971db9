"""Distinct rows of a vote matrix: what a fit costs grows with them, and not with the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ABSTAIN = -1
# Up to so many possible keys, rows are numbered by a table in the place of a sort.
_TABLE = 1 << 22


@dataclass(frozen=True)
class Patterns:
    """Distinct rows of votes and known labels.

    votes: shape (patterns, functions), -1 where one abstains; counts: shape (patterns,), how many rows are like it; gold:
    shape (patterns,), the known class or -1; inverse: shape (rows,), the place of each row's pattern.
    """

    votes: np.ndarray
    counts: np.ndarray
    gold: np.ndarray
    inverse: np.ndarray

    @classmethod
    def of(cls, votes: np.ndarray, gold: np.ndarray | None = None, counts: np.ndarray | None = None) -> "Patterns":
        """The distinct rows of `votes` and `gold`; each row counts once unless `counts` says otherwise."""
        known = np.full(len(votes), ABSTAIN, np.int8) if gold is None else gold
        first, inverse = distinct([*votes.T, known])
        weights = np.bincount(inverse, counts, len(first)).astype(np.float64)
        return cls(votes[first], weights, known[first].astype(np.int64), inverse)


def distinct(columns: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Where distinct rows stand, and the place of each row's own among them, in the order of their values.

    columns: whole numbers from -1, each of shape (rows,).
    """
    keys, bound = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        base = int(column.max(initial=0)) + 2
        if bound > np.iinfo(np.int64).max // base:
            first, keys = np.unique(keys, return_inverse=True)
            bound = len(first)
        keys *= base
        keys += column
        keys += 1
        bound *= base
    if bound > _TABLE:
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        return first, inverse
    first = np.full(bound, -1, np.int64)
    first[keys] = np.arange(len(keys))
    present = np.flatnonzero(first >= 0)
    places = np.empty(bound, np.int64)
    places[present] = np.arange(len(present))
    return first[present], places[keys]
