"""How well a posterior says the classes. Ties are shared: of two likeliest classes each is chosen for half of the row."""

import numpy as np


def accuracy(posterior: np.ndarray, truth: np.ndarray) -> float:
    """The share of rows whose likeliest class is the true one. posterior: shape (rows, classes); truth: shape (rows,)."""
    return float(_chosen(posterior)[np.arange(len(truth)), truth].mean())


def f1(posterior: np.ndarray, truth: np.ndarray, positive: int = 1) -> float:
    """F1 of one class; shapes as above."""
    chosen = _chosen(posterior)[:, positive]
    return float(2 * chosen[truth == positive].sum() / (chosen.sum() + (truth == positive).sum()))


def _chosen(posterior: np.ndarray) -> np.ndarray:
    """The share of a row that goes to each class, shape (rows, classes)."""
    likeliest = posterior >= posterior.max(axis=1, keepdims=True) - 1e-9
    return likeliest / likeliest.sum(axis=1, keepdims=True)
