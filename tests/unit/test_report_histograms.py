"""Histograms on common edges against a sum over every pair of bins, in fractions."""

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ml.reports.histograms import Bin, aligned, compared_shares, finest, redistributed

NUMBERS = st.integers(-40, 40)
BINS = st.lists(
    st.builds(lambda a, b, count: (min(a, b), max(a, b), count), NUMBERS, NUMBERS, st.integers(0, 30)),
    min_size=1,
    max_size=8,
)


def by_hand(bins: list[Bin], edges: list[int]) -> list[Fraction]:
    """What of each bin lies between each two edges; what lies outside counts at the ends."""
    counts = [Fraction(0)] * (len(edges) - 1)
    ends = list(itertools.pairwise([-1000, *edges[1:-1], 1000]))
    for low, high, count in bins:
        for place, (left, right) in enumerate(ends):
            if low == high:
                counts[place] += count if left <= low < right else 0
            else:
                counts[place] += Fraction(max(0, min(high, right) - max(low, left)), high - low) * count
    return counts


@given(BINS, st.lists(NUMBERS, min_size=2, max_size=9, unique=True).map(sorted))
def test_rows_are_spread_as_they_lie(bins: list[Bin], edges: list[int]) -> None:
    np.testing.assert_allclose(redistributed(bins, edges), [float(one) for one in by_hand(bins, edges)], atol=1e-9)


@given(BINS, BINS)
def test_both_sides_keep_all_their_rows(reference: list[Bin], current: list[Bin]) -> None:
    pair = aligned(reference, current)
    if pair is None:
        assert not all(any(count for *_, count in side) for side in (reference, current))
        return
    assert np.all(np.diff(pair.edges) > 0)
    for shares in (pair.reference, pair.current):
        assert min(shares) >= 0
        assert abs(sum(shares) - 1) < 1e-9


def test_one_far_value_does_not_flatten_the_picture() -> None:
    many: list[Bin] = [(place, place + 1, 100) for place in range(10)]
    pair = aligned(many, [*many, (1e9, 1e9, 1)])
    assert pair and pair.is_cut and (pair.edges[0], pair.edges[-1]) == (0, 10)
    np.testing.assert_allclose(pair.reference, [0.1] * 10)


def test_the_widest_numbers_stay_finite() -> None:
    pair = aligned([(-1.7e308, 1.7e308, 4)], [(-1.7e308, 0, 2), (0, 1.7e308, 2)])
    assert pair and np.isfinite(pair.edges).all()
    np.testing.assert_allclose(pair.reference, pair.current)
    assert aligned([(float("nan"), 1, 3)], [(0, 1, 3)]) is None


def test_a_bin_that_holds_nearly_all_gives_way_to_quantiles() -> None:
    quantiles = {0.01: 0.0, 0.5: 10.0, 0.75: 10.0, 0.99: 30.0}
    found = finest([(0, 450, 198), (450, 900, 2)], quantiles)
    assert [(low, high, round(count, 9)) for low, high, count in found] == [
        (0, 10, 98),
        (10, 10, 50),
        (10, 30, 48),
        (0, 0, 2),
        (30, 30, 2),
    ]
    pair = aligned(found, found)
    assert pair and (pair.edges[0], pair.edges[-1]) == (0, 30)
    even: list[Bin] = [(place, place + 1, 20) for place in range(5)]
    assert finest(even, quantiles) is even


def test_values_with_those_that_are_left_over() -> None:
    shares = compared_shares({"a": 60, "b": 40}, {"a": 10, "c": 70}, 100, 100)
    assert shares
    assert [(value, before, round(now, 9)) for value, before, now in shares.values] == [
        ("c", 0.0, 0.7),
        ("a", 0.6, 0.1),
        ("b", 0.4, 0.0),
        ("other values", 0.0, 0.2),
    ]
    assert compared_shares({"a": 1}, {}, 1, 0) is None
