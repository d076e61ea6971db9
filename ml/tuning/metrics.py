"""Metrics of the validation split, as registry.model_metrics has them: those of scikit-learn, without waiting for its import."""

from collections.abc import Callable

import numpy as np

from ml.estimators.soft_targets import by_class

_EPSILON = np.finfo(np.float64).eps
_BINS = 10


def measure(
    metric: str,
    task: str,
    scores: np.ndarray,
    target: np.ndarray,
    threshold: float | None,
    weights: np.ndarray | None = None,
) -> float:
    """A metric of a task (ml.training.spec.METRICS), NaN where it is not defined.

    scores, target, weights: as an estimator predicts and TrainingData has them; threshold: of a binary task, from which on a
    score is a positive. Of soft targets it is the metric of the rows that by_class() makes of them.
    """
    if task == "regression":
        return _REGRESSION[metric](scores, target)
    rows, target, weights = by_class(task, target, weights)
    scores = scores[rows]
    if task == "multiclass":
        return _MULTICLASS[metric](scores, target, weights)
    if metric in ("precision", "recall", "f1"):
        return _of_labels(metric, scores >= threshold, target == 1, weights)
    return _BINARY[metric](scores, target == 1, weights)


def _auc(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """The Mann-Whitney statistic: an equal score counts half."""
    values, place = np.unique(scores, return_inverse=True)
    positives = np.bincount(place, weights * positive, len(values))
    negatives = np.bincount(place, weights * ~positive, len(values))
    pairs = positives.sum() * negatives.sum()
    if not pairs:
        return float("nan")
    return float((positives * (np.cumsum(negatives) - negatives / 2)).sum() / pairs)


def _average_precision(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    if not positive.any():
        return float("nan")
    values, place = np.unique(-scores, return_inverse=True)
    rows = np.bincount(place, weights, len(values))
    hits = np.bincount(place, weights * positive, len(values))
    return float((hits * np.cumsum(hits) / np.cumsum(rows)).sum() / hits.sum())


def _log_loss(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    return _mean_loss(np.where(positive, scores, 1 - scores), weights)


def _mean_loss(of_outcome: np.ndarray, weights: np.ndarray) -> float:
    return _mean(-np.log(np.clip(of_outcome, _EPSILON, 1 - _EPSILON)), weights)


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    return float((values * weights).sum() / weights.sum())


def _brier(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    return _mean((scores - positive) ** 2, weights)


def _calibration_error(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Over bins between quantiles of the scores, weighted by their rows (Naeini et al. 2015)."""
    # By ranks, since an interpolated quantile may be off by a rounding.
    order = np.argsort(scores, kind="stable")
    mass = np.concatenate([[0.0], np.cumsum(weights[order])])
    below = mass[np.searchsorted(scores[order], scores)]
    bins = np.where(below == 0, 0, (_BINS * below - 1) // max(mass[-1] - 1, 1))
    # Weights below 1 can lead outside.
    gaps = np.bincount(np.clip(bins, 0, _BINS - 1).astype(np.int64), weights * (scores - positive))
    return float(np.abs(gaps).sum() / mass[-1])


def _of_labels(metric: str, predicted: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    hits, found, there = (weights[part].sum() for part in (predicted & positive, predicted, positive))
    counted = {"precision": found, "recall": there, "f1": (found + there) / 2}[metric]
    return float(hits / counted) if counted else 0.0


def _classes_auc(scores: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    return float(np.mean([_auc(scores[:, place], target == place, weights) for place in range(scores.shape[1])]))


def _accuracy(scores: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    return _mean(scores.argmax(axis=1) == target, weights)


def _classes_log_loss(scores: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    return _mean_loss(scores[np.arange(len(target)), target.astype(int)], weights)


def _f1_macro(scores: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    predicted = scores.argmax(axis=1)
    seen = np.union1d(predicted, target)
    return float(np.mean([_of_labels("f1", predicted == place, target == place, weights) for place in seen]))


def _r2(scores: np.ndarray, target: np.ndarray) -> float:
    if len(target) < 2:
        return float("nan")
    errors, variation = ((scores - target) ** 2).sum(), ((target - target.mean()) ** 2).sum()
    return float(1 - errors / variation) if variation else float(errors == 0)


WeightedMeasure = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
_BINARY: dict[str, WeightedMeasure] = {
    "auc": _auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "calibration_error": _calibration_error,
}
_MULTICLASS: dict[str, WeightedMeasure] = {
    "accuracy": _accuracy,
    "log_loss": _classes_log_loss,
    "auc_macro": _classes_auc,
    "f1_macro": _f1_macro,
    # Each row has one class and one predicted class, so the share of rows that are right.
    "f1_micro": _accuracy,
}
_REGRESSION: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "rmse": lambda scores, target: float(np.sqrt(((scores - target) ** 2).mean())),
    "mae": lambda scores, target: float(np.abs(scores - target).mean()),
    "r2": _r2,
    # Of the median.
    "pinball": lambda scores, target: float(np.abs(scores - target).mean() / 2),
    "mape": lambda scores, target: float((np.abs(scores - target) / np.maximum(np.abs(target), _EPSILON)).mean()),
}
