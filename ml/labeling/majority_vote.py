"""Majority vote: each vote counts alike, and nothing is learned."""

import numpy as np

from ml.labeling.voter import Voter, check_votes


class MajorityLabelVoter(Voter):
    """The class with the most votes; where classes tie, they share."""

    def predict_proba(self, L: np.ndarray) -> np.ndarray:  # noqa: N803
        """The share of each class among those with the most votes, shape (rows, cardinality); of no votes, equal shares."""
        return majority(check_votes(L, self.cardinality), self.cardinality)


def majority(votes: np.ndarray, classes: int) -> np.ndarray:
    """What MajorityLabelVoter.predict_proba answers, of votes that have been checked."""
    counts = counted(votes, classes, np.ones(votes.shape[1]))
    leads = counts == counts.max(axis=1, keepdims=True)
    return np.asarray(leads / leads.sum(axis=1, keepdims=True))


def vote_shares(votes: np.ndarray, classes: int, weights: np.ndarray) -> np.ndarray:
    """The share of each class among the weighted votes of a row, shape (rows, classes), drawn a little to equal shares."""
    counts = counted(votes, classes, weights) + 0.01
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def counted(votes: np.ndarray, classes: int, weights: np.ndarray) -> np.ndarray:
    """The weighted votes for each class, shape (rows, classes)."""
    return np.stack([(votes == number) @ weights for number in range(classes)], axis=1)
