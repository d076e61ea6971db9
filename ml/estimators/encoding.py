"""What models of weights see of a matrix of features: numbers on one scale, marks of what is missing, categories."""

import numpy as np

from ml.estimators.tensors import Shapes, expect, refuse
from ml.scoring.signature import Feature

FURTHEST = 10.0
"""Standard deviations from the mean: a number further out, infinity too, counts as so far."""

# Numbers beyond this count as this, so that squares of differences can be summed.
_LARGEST = 1e140


class Encoding:
    """Numbers and categories of some features, with mean and deviation of the numbers in the training split.

    A number is standardised; a missing one is the mean, with an indicator of 1 if the training split had it both missing and
    present. One that was constant or never present is always 0. A category is its place; one that is missing or unseen has
    the place after the last.

    `numbers`, `categories`: the places of either among the features; `levels`: the number of places of each category, that
    of missing and unseen ones included; `dense_owner`: the place of the feature that each column of `dense` comes from.
    """

    def __init__(
        self, features: list[Feature], mean: np.ndarray, deviation: np.ndarray, has_indicator: np.ndarray
    ) -> None:
        """Take mean and deviation (0 of a constant), float64, and has_indicator, bool: of shape (numbers,)."""
        self.numbers, self.categories = _places(features)
        self.levels = np.array([len(features[place].categories or []) + 1 for place in self.categories], dtype=np.int64)
        self.dense_owner = np.concatenate([self.numbers, self.numbers[has_indicator]])
        self._mean, self._deviation, self._has_indicator = mean, deviation, has_indicator
        self._inverse = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1.0), 0.0)
        self._low, self._high = mean - FURTHEST * deviation, mean + FURTHEST * deviation

    @classmethod
    def fit(cls, features: list[Feature], matrix: np.ndarray) -> "Encoding":
        """The encoding of a training split: matrix of shape (rows, features)."""
        numbers = np.clip(matrix[:, _places(features)[0]], -_LARGEST, _LARGEST)
        is_missing = np.isnan(numbers)
        present = np.maximum((~is_missing).sum(axis=0), 1)
        mean = np.where(is_missing, 0.0, numbers).sum(axis=0) / present
        deviation = np.sqrt(np.where(is_missing, 0.0, (numbers - mean) ** 2).sum(axis=0) / present)
        # Rounding leaves a constant a deviation of some last bits of its mean.
        deviation = np.where(deviation <= 1e-12 * np.abs(mean), 0.0, deviation)
        has_indicator = is_missing.any(axis=0) & ~is_missing.all(axis=0)
        return cls(features, mean, deviation, has_indicator)

    def dense(self, matrix: np.ndarray) -> np.ndarray:
        """The standardised numbers, then the indicators: float64, shape (rows, numbers + indicators)."""
        numbers = matrix[:, self.numbers]
        is_missing = np.isnan(numbers)
        standardised = (np.clip(numbers, self._low, self._high) - self._mean) * self._inverse
        standardised[is_missing] = 0.0
        return np.concatenate([standardised, is_missing[:, self._has_indicator]], axis=1)

    def codes(self, matrix: np.ndarray) -> np.ndarray:
        """The place of each category: int64, shape (rows, categories)."""
        codes = matrix[:, self.categories]
        # A comparison with NaN is false.
        is_known = (codes >= 0) & (codes < self.levels - 1)
        return np.where(is_known, codes, self.levels - 1).astype(np.int64)

    def arrays(self) -> dict[str, np.ndarray]:
        """What an artifact keeps of it."""
        indicator = self._has_indicator.astype(np.float64)
        return {"mean": self._mean, "deviation": self._deviation, "indicator": indicator}

    @classmethod
    def shapes(cls, features: list[Feature]) -> Shapes:
        """The arrays of `arrays`."""
        numbers = len(_places(features)[0])
        return dict.fromkeys(("mean", "deviation", "indicator"), (np.float64, (numbers,)))

    @classmethod
    def from_arrays(cls, features: list[Feature], arrays: dict[str, np.ndarray]) -> "Encoding":
        """Take back `arrays`, from among others. Raises ArtifactError where training cannot have written them."""
        shapes = cls.shapes(features)
        expect({name: arrays[name] for name in shapes if name in arrays}, shapes)
        mean, deviation, indicator = (arrays[name] for name in shapes)
        is_scale = (deviation == 0) | ((deviation > 1e-300) & (deviation <= 2 * _LARGEST))
        if not is_scale.all() or (np.abs(mean) > _LARGEST).any() or not np.isin(indicator, (0, 1)).all():
            raise refuse("'mean', 'deviation' or 'indicator' is out of range")
        return cls(features, mean, deviation, indicator == 1)


def _places(features: list[Feature]) -> tuple[np.ndarray, np.ndarray]:
    """The places of the numbers, and those of the categories."""
    is_category = np.array([feature.categories is not None for feature in features], dtype=bool)
    return np.flatnonzero(~is_category), np.flatnonzero(is_category)
