"""Two histograms on common edges, and the shares of values side by side."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Bin = tuple[float, float, float]
"""low, high and how many rows lie between; of one value low equals high."""

_BINS = 10
_OUTER = 0.01
_SPREAD = 4
"""Rows that are as unevenly spread as over fewer than so many bins want others (the inverse of the sum of squared shares)."""
_VALUES = 6


@dataclass(frozen=True)
class Aligned:
    """Shares of rows (each side sums to 1) in bins of equal width between `edges`; the outer bins hold what lies beyond."""

    edges: list[float]
    reference: list[float]
    current: list[float]
    is_cut: bool


@dataclass(frozen=True)
class Shares:
    """(value, share in the reference, share in the current rows), the most frequent first; the last may be 'other values'."""

    values: list[tuple[str, float, float]]


def redistributed(bins: Sequence[Bin], edges: Sequence[float]) -> np.ndarray:
    """The rows of bins in the bins between other edges, taken as evenly spread within each; what is outside goes to the ends.

    edges: ascending, n + 1 of them. Returns n counts (float64), whose sum is that of the bins. A bin of one value goes whole
    to the one that it lies in: [edge, next edge), the last with its end.
    """
    low, high, count = (np.array(column, dtype=np.float64) for column in zip(*bins, strict=True))
    inner = np.asarray(edges[1:-1], dtype=np.float64)[:, None]
    below = (_share_below(inner, low, high) * count).sum(axis=1)
    return np.diff(np.concatenate([[0.0], below, [count.sum()]]))


def aligned(reference: Sequence[Bin], current: Sequence[Bin]) -> Aligned | None:
    """Both on 10 common bins; None where a side has no rows.

    The bins lie where all but the outer hundredth of each side lies, so that one far value does not flatten the picture.
    """
    sides = [_filled(reference), _filled(current)]
    if not all(sides):
        return None
    ranges = [_central(side) for side in sides]
    low, high = min(one[0] for one in ranges), max(one[1] for one in ranges)
    if low == high:
        low, high = low - 0.5, high + 0.5
    # Halves, since the width of the widest double range is no double.
    edges = [float(low * (1 - share) + high * share) for share in np.linspace(0, 1, _BINS + 1)]
    shares = [redistributed(side, edges) / sum(count for *_, count in side) for side in sides]
    is_cut = any(bottom < low or top > high for side in sides for bottom, top, _ in side)
    return Aligned(edges, shares[0].tolist(), shares[1].tolist(), is_cut)


def compared_shares(
    reference: Mapping[str, int], current: Mapping[str, int], reference_rows: int, rows: int
) -> Shares | None:
    """The most frequent values of both sides, from counts by value and the numbers of rows that have one.

    Returns None where a side has no rows.
    """
    if reference_rows <= 0 or rows <= 0 or not (reference or current):
        return None
    found = [
        (value, reference.get(value, 0) / reference_rows, current.get(value, 0) / rows)
        for value in sorted({*reference, *current})
    ]
    found.sort(key=lambda one: -max(one[1], one[2]))
    shown = found[:_VALUES]
    before, now = (max(0.0, 1 - sum(shares)) for shares in zip(*(one[1:] for one in shown), strict=True))
    if max(before, now) > 1e-9:
        shown.append(("other values", before, now))
    return Shares(shown)


def finest(histogram: Sequence[Bin], quantiles: Mapping[float, float]) -> Sequence[Bin]:
    """Bins of the same rows: those of equal width, or where a few of them hold nearly all rows, those between the quantiles.

    quantiles: share of rows → value. What lies beyond the outer ones is put at these.
    """
    counts = np.array([count for *_, count in histogram], dtype=np.float64)
    rows = counts.sum()
    if not quantiles or not rows or 1 / ((counts / rows) ** 2).sum() >= min(_SPREAD, len(histogram)):
        return histogram
    shares, values = zip(*sorted(quantiles.items()), strict=True)
    ends = [(values[0], values[0], shares[0] * rows), (values[-1], values[-1], (1 - shares[-1]) * rows)]
    between = zip(itertools.pairwise(values), itertools.pairwise(shares), strict=True)
    return [*((low, high, (up_to - below) * rows) for (low, high), (below, up_to) in between), *ends]


def _filled(bins: Sequence[Bin]) -> list[Bin]:
    return [one for one in bins if one[2] > 0 and np.isfinite(one[0]) and np.isfinite(one[1])]


def _share_below(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """What share of each bin lies below each point: (points, bins)."""
    # Halves, since the width of the widest double range is no double.
    width = high / 2 - low / 2
    inside = np.clip((points / 2 - low / 2) / np.where(width > 0, width, 1.0), 0, 1)
    return np.where(width > 0, inside, low < points)


def _central(bins: Sequence[Bin]) -> tuple[float, float]:
    """Ends of bins between which all but a hundredth of the rows on each side lie."""
    low, high, count = (np.array(column, dtype=np.float64) for column in zip(*bins, strict=True))
    ends = np.unique(np.concatenate([low, high]))[:, None]
    below = (_share_below(ends, low, high) * count).sum(axis=1) / count.sum()
    up_to = (np.where(low == high, low <= ends, _share_below(ends, low, high)) * count).sum(axis=1) / count.sum()
    first = int(np.flatnonzero(below <= _OUTER)[-1])
    last = int(np.flatnonzero(up_to >= 1 - _OUTER)[0])
    return float(ends[min(first, last), 0]), float(ends[max(first, last), 0])
