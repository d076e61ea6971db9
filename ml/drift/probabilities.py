"""Probabilities that SQL lacks, as vectorised SQL functions: scipy's, to the last digit.

    select chi2_p_value(16.9, 9), chi2_quantile(0.95, 9), ks_p_value(0.2, 100, 80)

What is null, or of a sample without rows, gives null. scipy is imported when one of them is called first.
"""

import math
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

EXACT_SIZE = 10_000
"""Up to this size of both samples the Kolmogorov-Smirnov probability is exact, as in scipy's mode `auto`."""


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register chi2_p_value(statistic, degrees), chi2_quantile(probability, degrees) and ks_p_value(d, n, m) -> DOUBLE."""
    number, count = "DOUBLE", "BIGINT"
    options: dict[str, Any] = {"type": "arrow"}
    connection.create_function("chi2_p_value", _chi2_p_values, [number, number], number, **options)
    connection.create_function("chi2_quantile", _chi2_quantiles, [number, number], number, **options)
    connection.create_function("ks_p_value", _ks_p_values, [number, count, count], number, **options)


def ks_p_value(d: float, n: int, m: int) -> float:
    """How likely two samples of one distribution, of n and m rows, are to differ by the statistic d or more.

    As scipy.stats.ks_2samp, two-sided: exact (Hodges 1958) up to EXACT_SIZE rows, otherwise Smirnov's asymptotics.
    """
    from scipy.stats import ks_2samp, kstwo

    if max(n, m) > EXACT_SIZE:
        return float(kstwo.sf(d, round(n * m / (n + m))))
    # The probability depends on d alone, so samples of two values that differ by it will do: i of n and j of m rows are 0.
    difference = round(d * n * m)
    divisor = math.gcd(n, m)
    step = n // divisor
    i = difference // divisor * pow(m // divisor, -1, step) % step
    i += -(-(difference - i * m) // (step * m)) * step if i * m < difference else 0
    j = (i * m - difference) // n
    return float(ks_2samp(np.repeat([0, 1], [i, n - i]), np.repeat([0, 1], [j, m - j])).pvalue)


def _ks_p_values(d: pa.ChunkedArray, n: pa.ChunkedArray, m: pa.ChunkedArray) -> pa.Array:
    samples = zip(d.to_pylist(), n.to_pylist(), m.to_pylist(), strict=True)
    return pa.array([ks_p_value(*sample) if min(sample[1:]) > 0 else None for sample in samples], pa.float64())


def _chi2_p_values(statistic: pa.ChunkedArray, degrees: pa.ChunkedArray) -> pa.Array:
    from scipy.special import chdtrc

    # Without a degree of freedom there is nothing to differ.
    free = degrees.to_numpy()
    return pa.array(np.where(free > 0, chdtrc(np.maximum(free, 1), statistic.to_numpy()), 1.0))


def _chi2_quantiles(probability: pa.ChunkedArray, degrees: pa.ChunkedArray) -> pa.Array:
    from scipy.special import chdtri

    free = degrees.to_numpy()
    return pa.array(np.where(free > 0, chdtri(np.maximum(free, 1), 1 - probability.to_numpy()), 0.0))
