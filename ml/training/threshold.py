"""The score from which on a binary model's label is true."""

import numpy as np

from ml.training.spec import ModelSpec


def choose_threshold(
    spec: ModelSpec, scores: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None
) -> float | None:
    """The declared threshold, or the score at which F1 on the validation split is greatest; None of another task.

    scores, target, weights: shape (rows,), of the validation split, as TrainingData has them. Of soft targets F1 is that of
    the expected counts.
    """
    if spec.task != "binary":
        return None
    if isinstance(spec.threshold, int | float):
        return float(spec.threshold)
    order = np.argsort(-scores, kind="stable")
    weight = np.ones(len(target)) if weights is None else weights
    hits = np.cumsum((target * weight)[order])
    f1 = 2 * hits / (np.cumsum(weight[order]) + (target * weight).sum())
    # Only the last of equal scores can be cut after.
    f1[:-1][np.diff(scores[order]) == 0] = -1
    return float(scores[order][np.argmax(f1)])
