"""Distances between two samples from their definitions, by numpy and scipy, and the macros of macros/drift without dbt."""

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from scipy import stats
from scipy.spatial.distance import jensenshannon

from ml.drift import numbers, probabilities
from tests.rendered import package

MACROS = package("drift/*", "features/fingerprint", "features/view_statistics")


def connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    probabilities.register(connection)
    numbers.register(connection)
    return connection


def measured(
    connection: duckdb.DuckDBPyConnection, reference: Sequence[Any], current: Sequence[Any], type_: str = "double"
) -> dict[str, dict[str, Any]]:
    """{method: {value, p_value, chance, …}} of a column of these values."""
    arrow = pa.float64() if type_ == "double" else pa.string()
    for name, values in {"reference": reference, "present": current}.items():
        connection.register(f"{name}_values", pa.table({"x": pa.array(values, arrow, from_pandas=False)}))
        connection.execute(f"create or replace temporary table {name} as from {name}_values")
    result = connection.sql(MACROS.drift_between("reference", "present", {"x": type_}))
    names = result.columns
    return {row[1]: dict(zip(names, row, strict=True)) for row in result.fetchall()}


def expected_of_numbers(reference: np.ndarray, current: np.ndarray) -> dict[str, float]:
    """Of finite numbers, as scipy, Evidently 0.7 and NannyML 0.13 compute them."""
    both = np.concatenate([reference, current])
    if len(np.unique(reference)) > 20:
        edges = np.histogram_bin_edges(both, bins="sturges")
        counts = np.histogram(reference, edges)[0], np.histogram(current, edges)[0]
        doane = np.histogram_bin_edges(reference, bins="doane")
        old, new = (np.histogram(side, doane)[0] / len(side) for side in (reference, current))
        distance = jensenshannon(np.append(old, 0), np.append(new, max(1 - new.sum(), 0)), base=2)
    else:
        values = np.unique(both)
        counts = tuple((side[:, None] == values).sum(axis=0) for side in (reference, current))
        distance = jensenshannon(*counts, base=2)
    wasserstein = stats.wasserstein_distance(reference, current)
    return {
        "ks": stats.ks_2samp(reference, current).statistic,
        "wasserstein": wasserstein,
        "wasserstein_normalised": wasserstein / max(np.std(reference), 0.001),
        **expected_of_counts(*counts),
        "js_distance_log2": distance,
    }


def expected_of_counts(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Of the rows that each bin or value has on both sides."""
    seen = a + b > 0
    a, b = a[seen], b[seen]
    p, q = a / a.sum(), b / b.sum()
    filled_p, filled_q = (_filled(share) for share in (p, q))
    ln_distance = jensenshannon(p, q)
    return {
        "psi": ((filled_p - filled_q) * np.log(filled_p / filled_q)).sum(),
        "js_distance_ln": ln_distance,
        "js_distance_log2": jensenshannon(p, q, base=2),
        "js_divergence_log2": ln_distance**2 / np.log(2),
        "hellinger": np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / np.sqrt(2),
        "l_infinity": max(abs(one - other) for one, other in zip(p, q, strict=True)),
        "normalised_absolute_difference": max(abs(one - other) for one, other in zip(a, b, strict=True))
        / (a + b).sum(),
        "chi_square": stats.chi2_contingency([a, b], correction=False)[0],
        "chi_square_reference_exact": _exact_chi_square(a * b.sum() / a.sum(), b),
    }


def _exact_chi_square(expected: np.ndarray, found: np.ndarray) -> float:
    terms = [(one - other) ** 2 / other if other else np.inf for one, other in zip(found, expected, strict=True)]
    return float(np.sum(terms))


def _filled(share: np.ndarray) -> np.ndarray:
    """Evidently's rule of zero shares."""
    least = share[share > 0].min()
    return np.where(share == 0, least / 1e6 if least <= 0.0001 else 0.0001, share)
