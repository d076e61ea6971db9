"""Metrics of the validation split, as registry.model_metrics has them: those of scikit-learn, without waiting for its import."""

from collections.abc import Callable

import numpy as np

_EPSILON = np.finfo(np.float64).eps
_BINS = 10


def measure(metric: str, task: str, scores: np.ndarray, target: np.ndarray, threshold: float | None) -> float:
    """A metric of a task (ml.training.spec.METRICS), NaN where it is not defined.

    scores, target: as an estimator predicts and TrainingData has them; threshold: of a binary task, from which on a score is
    a positive.
    """
    if task == "binary":
        if metric in ("precision", "recall", "f1"):
            return _of_labels(metric, scores >= threshold, target == 1)
        return _BINARY[metric](scores, target == 1)
    return (_MULTICLASS if task == "multiclass" else _REGRESSION)[metric](scores, target)


def _auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """The Mann-Whitney statistic over mid-ranks."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    if not positive.any():
        return float("nan")
    values, place = np.unique(-scores, return_inverse=True)
    rows, hits = np.bincount(place, minlength=len(values)), np.bincount(place, positive, minlength=len(values))
    return float((hits * np.cumsum(hits) / np.cumsum(rows)).sum() / hits.sum())


def _log_loss(scores: np.ndarray, positive: np.ndarray) -> float:
    return _mean_loss(np.where(positive, scores, 1 - scores))


def _mean_loss(of_outcome: np.ndarray) -> float:
    return float(-np.log(np.clip(of_outcome, _EPSILON, 1 - _EPSILON)).mean())


def _brier(scores: np.ndarray, positive: np.ndarray) -> float:
    return float(((scores - positive) ** 2).mean())


def _calibration_error(scores: np.ndarray, positive: np.ndarray) -> float:
    """Over bins between quantiles of the scores, weighted by their rows (Naeini et al. 2015)."""
    # By ranks, since an interpolated quantile may be off by a rounding.
    below = np.searchsorted(np.sort(scores), scores)
    bins = np.where(below == 0, 0, (_BINS * below - 1) // max(len(scores) - 1, 1))
    gaps = np.bincount(bins, scores - positive)
    return float(np.abs(gaps).sum() / len(scores))


def _of_labels(metric: str, predicted: np.ndarray, positive: np.ndarray) -> float:
    hits = float((predicted & positive).sum())
    counted = {"precision": predicted.sum(), "recall": positive.sum(), "f1": (predicted.sum() + positive.sum()) / 2}
    return hits / float(counted[metric]) if counted[metric] else 0.0


def _classes_auc(scores: np.ndarray, target: np.ndarray) -> float:
    return float(np.mean([_auc(scores[:, place], target == place) for place in range(scores.shape[1])]))


def _accuracy(scores: np.ndarray, target: np.ndarray) -> float:
    return float((scores.argmax(axis=1) == target).mean())


def _classes_log_loss(scores: np.ndarray, target: np.ndarray) -> float:
    return _mean_loss(scores[np.arange(len(target)), target.astype(int)])


def _f1_macro(scores: np.ndarray, target: np.ndarray) -> float:
    predicted = scores.argmax(axis=1)
    seen = np.union1d(predicted, target)
    return float(np.mean([_of_labels("f1", predicted == place, target == place) for place in seen]))


def _r2(scores: np.ndarray, target: np.ndarray) -> float:
    if len(target) < 2:
        return float("nan")
    errors, variation = ((scores - target) ** 2).sum(), ((target - target.mean()) ** 2).sum()
    return float(1 - errors / variation) if variation else float(errors == 0)


Measure = Callable[[np.ndarray, np.ndarray], float]
_BINARY: dict[str, Measure] = {
    "auc": _auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "calibration_error": _calibration_error,
}
_MULTICLASS: dict[str, Measure] = {
    "accuracy": _accuracy,
    "log_loss": _classes_log_loss,
    "auc_macro": _classes_auc,
    "f1_macro": _f1_macro,
    # Each row has one class and one predicted class, so the share of rows that are right.
    "f1_micro": _accuracy,
}
_REGRESSION: dict[str, Measure] = {
    "rmse": lambda scores, target: float(np.sqrt(((scores - target) ** 2).mean())),
    "mae": lambda scores, target: float(np.abs(scores - target).mean()),
    "r2": _r2,
    # Of the median.
    "pinball": lambda scores, target: float(np.abs(scores - target).mean() / 2),
    "mape": lambda scores, target: float((np.abs(scores - target) / np.maximum(np.abs(target), _EPSILON)).mean()),
}
