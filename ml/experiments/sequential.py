"""Intervals that hold at all looks together, so that one may look after every outcome and stop when one likes.

The interval of the difference of two means of losses in [0, 1] is that of Robbins (1970) with a normal mixture, as an
asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2021). That a later estimate varies less, and
that the covariance of two is the variance of the later one, holds for a difference of means whatever shares of the traffic
the arms have had, so one mixture serves both arms; with a bound for each the interval is wider.

Asymptotic are the estimated variance and the normal shape. Both are protected, since of an error of 1 % a canary with 1 % of
the traffic sees a few: each arm's sum of squares counts PROTECTION more, and a second term is what a sum of rare losses needs
(the second order of a Poisson count's Chernoff bound, solved for the mean). tests/benchmarks/experiments.py measures the
level.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

EFFECT = 0.05
"""For differences of about this size the interval is narrowest. It holds for all."""
PROTECTION = 1.0
"""What an arm's sum of squares around its mean counts more: one outcome that lies the whole range off."""
RARE = 2 / 3


class Sums(NamedTuple):
    """What is known of an arm: how many outcomes, the sum of their losses, and of the squares of these."""

    outcomes: int = 0
    sum: float = 0.0
    squares: float = 0.0


class Interval(NamedTuple):
    """By how much the second arm's mean loss is greater than the first's, and between what that lies."""

    difference: float
    low: float
    high: float


NOTHING_KNOWN = Interval(0.0, -1.0, 1.0)


def difference(strata: Iterable[tuple[Sums, Sums]], error: float) -> Interval:
    """By how much greater the second arm's mean loss is than the first's, with an interval for all looks.

    strata: the sums of the first and the second arm, for each pair of shares of the traffic that they had. Outcomes are
    compared within a stratum, so that an arm which gets more traffic in worse times looks no worse (Simpson's paradox), and
    the differences weighted by n1 * n2 / (n1 + n2) (Mantel and Haenszel 1959). error: the probability that the truth is ever
    outside, half of it on either side. Where no stratum has both arms, NOTHING_KNOWN.

    In SQL, of one stratum with n1, s1, q1 and n2, s2, q2, the ends being difference - radius and difference + radius:
        difference = s2 / n2 - s1 / n1
        v = (q1 - s1 * s1 / n1 + 1) / (n1 * n1) + (q2 - s2 * s2 / n2 + 1) / (n2 * n2)
        evidence = ln(1 / error) + ln(1 + 0.0025 / v) / 2
        radius = sqrt(2 * v * (1 + v / 0.0025) * evidence) + 2.0 / 3 * evidence / least(n1, n2)

    >>> [round(end, 3) for end in difference([(Sums(900, 162, 70), Sums(100, 30, 17))], error=0.05)]
    [0.12, -0.002, 0.242]
    """
    total = estimate = most = 0.0
    # Of each arm: outcomes, the sum of squares around the means of the strata, and of squared weights.
    n1 = spread1 = weights1 = n2 = spread2 = weights2 = 0.0
    for (m1, s1, q1), (m2, s2, q2) in strata:
        if not m1 or not m2:
            continue
        moves1, moves2 = m2 / (m1 + m2), m1 / (m1 + m2)
        total += m1 * moves1
        estimate += m1 * moves1 * (s2 / m2 - s1 / m1)
        most = max(most, moves1, moves2)
        n1, n2 = n1 + m1, n2 + m2
        spread1, spread2 = spread1 + q1 - s1 * s1 / m1, spread2 + q2 - s2 * s2 / m2
        weights1, weights2 = weights1 + m1 * moves1 * moves1, weights2 + m2 * moves2 * moves2
    if not total:
        return NOTHING_KNOWN
    variance = ((spread1 + PROTECTION) / n1 * weights1 + (spread2 + PROTECTION) / n2 * weights2) / (total * total)
    middle, far = estimate / total, radius(variance, most / total, error)
    return Interval(middle, middle - far, middle + far)


def paired(differences: Sums, error: float) -> Interval:
    """The same where both arms scored each request (shadow, ensemble): much narrower, since what is hard for one is hard for
    the other.

    differences: the Sums of the second arm's loss less the first's, over the outcomes that both have a loss of. In SQL, with
    n, s, q:
        v = (q - s * s / n + 1) / (n * n), and 1 / n in the place of 1 / least(n1, n2)

    >>> [round(end, 3) for end in paired(Sums(900, 108, 40), error=0.05)]
    [0.12, 0.097, 0.143]
    """
    n, total, squares = differences
    if not n:
        return NOTHING_KNOWN
    far = radius((squares - total * total / n + PROTECTION) / (n * n), 1 / n, error)
    return Interval(total / n, total / n - far, total / n + far)


def radius(variance: Any, movement: Any, error: float, log: Callable[[Any], Any] = math.log) -> Any:
    """Half the width of an interval for all looks.

    variance: of the estimate, with PROTECTION; movement: the most that one outcome moves it by; numbers, or arrays with
    numpy's log.
    """
    evidence = log(1 / error) + log(1 + EFFECT**2 / variance) / 2
    return (2 * variance * (1 + variance / EFFECT**2) * evidence) ** 0.5 + RARE * evidence * movement
