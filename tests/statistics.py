"""The macros of macros/statistics without dbt, and the statistics of values in plain Python and numpy."""

import datetime as dt
import decimal
import math
from collections import Counter
from typing import Any

import duckdb
import numpy as np

from tests.rendered import package


def _literal(text: Any) -> str:
    return "null" if text is None else "'" + str(text).replace("'", "''") + "'"


MACROS: Any = package("statistics/*", literal=_literal)
FRACTIONS: list[float] = MACROS.quantile_fractions()


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = connection.sql(query)
    return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]


def as_number(value: Any) -> float:
    """What statistics() computes with: times are seconds since 1970."""
    if isinstance(value, dt.datetime):
        return (value - dt.datetime(1970, 1, 1, tzinfo=value.tzinfo)) / dt.timedelta(seconds=1)
    if isinstance(value, dt.date):
        return float((value - dt.date(1970, 1, 1)).days * 86400)
    return float(value)


def assert_statistics(found: dict[str, Any], values: list[Any]) -> None:
    """What statistics() says of a column is what plain Python and numpy say of its values (None is missing)."""
    present = [value for value in values if value is not None]
    floats = [value for value in present if isinstance(value, float)]
    assert found["row_count"] == len(values)
    assert found["missing_count"] == len(values) - len(present)
    assert found["nan_count"] == sum(map(math.isnan, floats))
    assert found["infinite_count"] == sum(map(math.isinf, floats))
    numbers = [one for one in present if isinstance(one, bool | int | decimal.Decimal | float | dt.date)]
    numbers = [one for one in numbers if not isinstance(one, float) or math.isfinite(one)]
    assert found["zero_count"] == sum(one == 0 for one in numbers)
    if found["top_values"]:
        _assert_top_values(found, present)
    elif present:
        distinct = len({repr(value) for value in present})
        assert abs(found["distinct_count"] - distinct) <= max(1, 0.15 * distinct)
    if numbers:
        _assert_numbers(found, numbers)
    else:
        assert found["mean"] is found["stddev"] is None
        assert found["quantiles"] == {} and found["histogram"] == [] and found["quantile_histogram"] == []
    sized = [len(value) for value in present if isinstance(value, str | list)]
    if sized:
        assert (found["least_length"], found["greatest_length"]) == (min(sized), max(sized))
        assert math.isclose(found["mean_length"], sum(sized) / len(sized), rel_tol=1e-12)


def _assert_top_values(found: dict[str, Any], present: list[Any]) -> None:
    tally = Counter(str(value).lower() if isinstance(value, bool) else str(value) for value in present)
    expected = sorted(tally.items(), key=lambda entry: (-entry[1], entry[0].encode()))[:20]
    assert [(top["value"], top["row_count"]) for top in found["top_values"]] == expected
    assert found["distinct_count"] == len(tally)


def _assert_numbers(found: dict[str, Any], numbers: list[Any]) -> None:
    values = np.sort(np.array([as_number(value) for value in numbers], dtype=float))
    size = max(abs(values[0]), abs(values[-1]))
    scaled = values / size if size else values
    tolerance = 1e-11 + len(values) * 1e-15
    assert math.isclose(found["mean"], math.fsum(scaled) / len(values) * size, rel_tol=1e-11, abs_tol=tolerance * size)
    deviation = float(np.std(scaled.astype(np.longdouble)))
    assert math.isclose(found["stddev"], deviation * size, rel_tol=1e-7, abs_tol=1e-8 * size)
    if isinstance(numbers[0], bool):
        return
    assert list(found["quantiles"]) == FRACTIONS
    for fraction, quantile in found["quantiles"].items():
        # Rounding may take fraction * n to either side of a whole number.
        ranks = {math.ceil(fraction * len(values) + nudge) for nudge in (-1e-9, 1e-9)}
        assert quantile in {values[min(max(rank, 1), len(values)) - 1] for rank in ranks}, fraction
    _assert_histogram(found["histogram"], values)
    bins = found["quantile_histogram"]
    assert [one["row_count"] for one in bins] == np.diff(
        [math.ceil(k * len(values) / 10 - 1e-9) for k in range(11)]
    ).tolist()
    assert bins[0]["low"] == values[0] and bins[-1]["high"] == values[-1]
    assert all(one["high"] == after["low"] for one, after in zip(bins, bins[1:], strict=False))
    assert [one["high"] for one in bins[:-1]] == [found["quantiles"][k / 10] for k in range(1, 10)]


def _assert_histogram(bins: list[dict[str, Any]], values: "np.ndarray[Any, Any]") -> None:
    """Edges as numpy's, and counts by comparison with the very edges that are given."""
    if values[0] == values[-1]:
        assert bins == [{"low": values[0], "high": values[0], "row_count": len(values)}]
        return
    edges = [one["low"] for one in bins] + [bins[-1]["high"]]
    size = max(abs(values[0]), abs(values[-1]))
    expected = np.linspace(values[0] / size, values[-1] / size, 11)
    assert np.allclose(np.array(edges) / size, expected, rtol=0, atol=1e-15 * 4)
    assert edges[0] == values[0] and edges[-1] == values[-1]
    counts = [
        int(((values >= low) & ((values < high) if place < 9 else (values <= high))).sum())
        for place, (low, high) in enumerate(zip(edges, edges[1:], strict=False))
    ]
    assert [one["row_count"] for one in bins] == counts
