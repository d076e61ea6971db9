"""Calibration of scores by isotonic regression, where that helps: what confidence-based estimates start from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

Floats = npt.NDArray[np.float64]

FOLDS = 10
BINS = 10
PARTS = 20


def calibration(scores: Sequence[float], targets: Sequence[float]) -> dict[str, list[Any]]:
    """What a score means, by the rows of a hold-out.

    scores: probabilities, in an order that has nothing to do with the rows; targets: 0 or 1, one for each.
    Returns {scores, probabilities, edges, row_counts}. Between the points (scores, probabilities), which rise, the calibrated
    probability is interpolated linearly, and outside them it is that of the nearest; (0, 0) and (1, 1) where calibration does
    not lower the error (`is_lowered`). edges: the least scores of at most 20 parts of as many rows each (equal scores share
    one); row_counts: of each part.
    """
    score, target = np.asarray(scores, float), np.asarray(targets, float)
    points = isotonic_points(score, target) if is_lowered(score, target) else (np.array([0.0, 1.0]),) * 2
    edges = np.unique(np.quantile(score, np.arange(PARTS) / PARTS, method="lower"))
    row_counts = np.diff(np.append(np.searchsorted(np.sort(score), edges), len(score)))
    names = ("scores", "probabilities", "edges", "row_counts")
    return {name: values.tolist() for name, values in zip(names, (*points, edges, row_counts), strict=True)}


def isotonic_points(score: Floats, target: Floats) -> tuple[Floats, Floats]:
    """The ends of the steps of the isotonic least-squares fit, as scikit-learn's IsotonicRegression keeps them.

    The fit is by pool adjacent violators (scipy.optimize.isotonic_regression; Barlow et al. 1972); rows of one score are one
    point with their mean and their number as weight.
    """
    at, place, count = np.unique(score, return_inverse=True, return_counts=True)
    fitted = isotonic_regression(np.bincount(place, target) / count, weights=count).x
    changes = np.diff(fitted) != 0
    kept = np.append(changes, True) | np.append(True, changes)
    return at[kept], fitted[kept]


def is_lowered(score: Floats, target: Floats) -> bool:
    """Whether calibration lowers the calibration error of rows that it was not fitted on, in ten-fold cross-validation.

    As NannyML decides (its `needs_calibration`: ten bins of as many rows each, over the rows of all folds together), but for
    the folds, which are every tenth row and not drawn. False where there are less than 20 rows, or one class.
    """
    if len(score) < 2 * BINS or len(np.unique(target)) < 2:
        return False
    calibrated = np.empty(len(score))
    for fold in range(FOLDS):
        is_held = np.arange(len(score)) % FOLDS == fold
        calibrated[is_held] = np.interp(score[is_held], *isotonic_points(score[~is_held], target[~is_held]))
    return calibration_error(calibrated, target) < calibration_error(score, target)


def calibration_error(probability: Floats, target: Floats) -> float:
    """The expected calibration error over ten bins of as many rows each (Naeini et al. 2015)."""
    order = np.argsort(probability, kind="stable")
    gaps = [part.sum() for part in np.array_split((probability - target)[order], BINS)]
    return float(np.abs(gaps).sum() / len(probability))
