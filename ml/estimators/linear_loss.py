"""The loss of a linear model and its slope, with one-hot categories that are never written out.

Sums go through einsum and bincount, whose order is fixed, and not through BLAS: the same bits whatever else the machine does,
and on tall matrices several times as fast as its threads.
"""

from dataclasses import dataclass

import numpy as np

from ml.estimators.encoding import Encoding


@dataclass(frozen=True)
class Design:
    """The encoded rows: `dense` of shape (rows, dense columns), and `codes`, the place of each category among all columns."""

    dense: np.ndarray
    codes: list[np.ndarray]
    columns: int

    @classmethod
    def of(cls, encoding: Encoding, matrix: np.ndarray) -> "Design":
        """Encode a matrix of features."""
        dense = encoding.dense(matrix)
        first = dense.shape[1] + np.concatenate([[0], np.cumsum(encoding.levels)])
        codes = encoding.codes(matrix) + first[:-1]
        return cls(dense, [np.ascontiguousarray(column) for column in codes.T], int(first[-1]))

    def scores(self, weights: np.ndarray) -> np.ndarray:
        """Raw scores, shape (outputs, rows), of weights of shape (outputs, columns + 1), the last the intercept."""
        scores = np.empty((len(weights), len(self.dense)))
        for score, weight in zip(scores, weights, strict=True):
            np.einsum("ij,j->i", self.dense, weight[: self.dense.shape[1]], out=score)
            for column in self.codes:
                score += weight[column]
            score += weight[-1]
        return scores

    def gradient(self, slopes: np.ndarray) -> np.ndarray:
        """The slopes by score, shape (outputs, rows), brought to the weights: shape (outputs, columns + 1)."""
        gradient = np.zeros((len(slopes), self.columns + 1))
        for row, slope in zip(gradient, slopes, strict=True):
            for column in self.codes:
                row += np.bincount(column, slope, self.columns + 1)
            row[: self.dense.shape[1]] = np.einsum("ij,i->j", self.dense, slope)
            row[-1] = slope.sum()
        return gradient

    def mean(self) -> np.ndarray:
        """The mean of each column: shape (columns,)."""
        return np.asarray(self.gradient(np.full((1, len(self.dense)), 1 / len(self.dense)))[0, :-1])

    def mean_square(self) -> np.ndarray:
        """The mean of each column's squares: shape (columns,)."""
        squares = self.mean()
        squares[: self.dense.shape[1]] = np.einsum("ij,ij->j", self.dense, self.dense) / len(self.dense)
        return squares


def loss_of_scores(
    task: str, scores: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """The mean loss and its slope by each raw score, shape (outputs, rows); half of the squared error of a regression.

    weights: shape (rows,), by which rows count in the mean.
    """
    losses, slopes = _losses(task, scores, target)
    if weights is None:
        return float(losses.mean()), slopes / len(target)
    shares = weights / weights.sum()
    return float((losses * shares).sum()), slopes * shares


def _losses(task: str, scores: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each row, shape (rows,), and its slopes, shape (outputs, rows)."""
    if task == "regression":
        error = scores[0] - target
        return error**2 / 2, error[None]
    if task == "binary":
        # Stable on both sides: log(1 + e^s) = max(s, 0) + log(1 + e^-|s|).
        decay = np.exp(-np.abs(scores[0]))
        loss = np.maximum(scores[0], 0) + np.log1p(decay) - target * scores[0]
        probability = np.where(scores[0] >= 0, 1.0, decay) / (1 + decay)
        return loss, (probability - target)[None]
    shifted = scores - scores.max(axis=0)
    total = np.exp(shifted).sum(axis=0)
    slopes = np.exp(shifted) / total
    if target.ndim == 2:
        return np.log(total) - (target.T * shifted).sum(axis=0), slopes - target.T
    places = (target.astype(np.int64), np.arange(len(target)))
    slopes[places] -= 1
    return np.log(total) - shifted[places], slopes
