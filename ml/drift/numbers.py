"""How far samples of numbers differ from a reference, from one sort of each: what SQL would sort, join and count for itself.

select drift_of_numbers([1.0, 2.0, 5.0], [[1.0, 1.0], [4.0]])
"""

from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.float64]

FEW = 20
"""A reference of at most this many values is compared value by value, others by bins."""
_CELLS = "STRUCT(is_doane BOOLEAN, a DOUBLE, b DOUBLE)[]"
_RESULT = f"STRUCT(ks DOUBLE, area DOUBLE, spread DOUBLE, sigma DOUBLE, cells {_CELLS})[]"


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register drift_of_numbers(reference DOUBLE[], samples DOUBLE[][]) -> STRUCT[], one for each sample, see Reference.

    No list holds a null, NaN or infinity, and none is empty.
    """
    options: dict[str, Any] = {"type": "arrow"}
    connection.create_function("drift_of_numbers", _drift_of_numbers, ["DOUBLE[]", "DOUBLE[][]"], _RESULT, **options)


def _drift_of_numbers(references: pa.ChunkedArray, samples: pa.ChunkedArray) -> pa.Array:
    found = []
    for values, lists in zip(references, samples, strict=True):
        reference = Reference(values.values.to_numpy())
        found.append([reference.compare(sample.values.to_numpy()) for sample in lists])
    return pa.array(found)


class Reference:
    """A sample of finite numbers that others are compared with. It is sorted and described once."""

    def __init__(self, values: Numbers) -> None:
        self._values = np.sort(values)
        mean = self._values.mean()
        self._sigma = float(np.sqrt(np.square(self._values - mean).mean()))
        # Rounding makes a mean that is none of one value.
        self._is_one = self._values[0] == self._values[-1]
        starts = np.flatnonzero(self._values[1:] != self._values[:-1])
        self._few = self._values[np.append(starts, -1)] if len(starts) < FEW else None
        self._doane = self._doane_edges(mean)

    def compare(self, sample: Numbers) -> dict[str, Any]:
        """{ks, area, spread, sigma, cells} of a sample.

        ks: Kolmogorov and Smirnov's D. area: ∫|F - G|, Wasserstein's distance. spread: ∫√(H(1 - H)) with the distribution
        function H of both together. sigma: the population's of the reference. cells: rows of the reference (a) and of the
        sample (b) in each of Sturges' bins over both, or of each value where the reference has few, and in Doane's over the
        reference, all else in one (is_doane); none for a bin without rows.
        """
        # Here, since a run that compares nothing need not wait for the compiler.
        from ml.drift.merge import distances

        sample = np.sort(sample)
        n, m = len(self._values), len(sample)
        found = distances(self._values, sample)
        return {
            "ks": found.greatest / n / m,
            "area": found.area / n / m,
            "spread": found.spread / (n + m),
            "sigma": 0.0 if self._is_one else self._sigma,
            "cells": self._cells(sample),
        }

    def _cells(self, sample: Numbers) -> list[dict[str, Any]]:
        if self._few is not None:
            values = np.union1d(self._few, sample)
            return _cells(
                False, *(np.diff(np.searchsorted(side, values, "right"), prepend=0) for side in (self._values, sample))
            )
        low, high = min(self._values[0], sample[0]), max(self._values[-1], sample[-1])
        edges = _edges(low, high, (high - low) / (np.log2(len(self._values) + len(sample)) + 1))
        of_sample = _counts(sample, self._doane)
        outside = len(sample) - of_sample.sum()
        return _cells(False, _counts(self._values, edges), _counts(sample, edges)) + _cells(
            True, np.append(_counts(self._values, self._doane), 0), np.append(of_sample, outside)
        )

    def _doane_edges(self, mean: float) -> Numbers:
        """As numpy.histogram_bin_edges(…, 'doane')."""
        n, low, high = len(self._values), self._values[0], self._values[-1]
        if n <= 2 or self._is_one:
            return np.array([low, high])
        standard = (self._values - mean) / self._sigma
        skewness = abs((standard * standard * standard).mean()) / np.sqrt(6.0 * (n - 2) / (n + 1.0) / (n + 3))
        return _edges(low, high, (high - low) / (1 + np.log2(n) + np.log2(1 + skewness)))


def _edges(low: float, high: float, width: float) -> Numbers:
    """Of bins of about a width, as numpy.histogram_bin_edges."""
    return np.linspace(low, high, int(np.ceil((high - low) / width)) + 1 if width > 0 else 2)


def _counts(values: Numbers, edges: Numbers) -> npt.NDArray[np.int64]:
    """As numpy.histogram of values in order: low <= value < high, and the last bin holds its high."""
    places = np.append(np.searchsorted(values, edges[:-1], "left"), np.searchsorted(values, edges[-1], "right"))
    return np.diff(places)


def _cells(is_doane: bool, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    seen = np.flatnonzero(a + b)
    return [
        {"is_doane": is_doane, "a": float(old), "b": float(new)}
        for old, new in zip(a[seen].tolist(), b[seen].tolist(), strict=True)
    ]
