"""The macros of macros/statistics without dbt, and the statistics of values in plain Python and numpy."""

import datetime as dt
import decimal
import itertools
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


def assert_statistics(found: dict[str, Any], values: list[Any], of_group: list[Any] | None = None) -> None:
    """What statistics() says of a column is what plain Python and numpy say of its values (None is missing).

    of_group: the values of all slices of the group, where `values` are those of one.
    """
    present = [value for value in values if value is not None]
    floats = [value for value in present if isinstance(value, float)]
    assert found["row_count"] == len(values)
    assert found["missing_count"] == len(values) - len(present)
    assert found["nan_count"] == sum(map(math.isnan, floats))
    assert found["infinite_count"] == sum(map(math.isinf, floats))
    numbers = _numbers(present)
    assert found["zero_count"] == sum(one == 0 for one in numbers)
    if found["top_values"]:
        _assert_top_values(found, present)
    elif present:
        distinct = len({repr(value) for value in present})
        assert abs(found["distinct_count"] - distinct) <= max(1, 0.15 * distinct)
    if numbers:
        _assert_numbers(found, numbers, _sorted(_numbers(of_group or present)))
        if not isinstance(numbers[0], bool):
            _assert_histogram(found["histogram"], _sorted(numbers), _sorted(_numbers(of_group or present)))
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


def _assert_numbers(found: dict[str, Any], numbers: list[Any], of_group: "np.ndarray[Any, Any]") -> None:
    values = _sorted(numbers)
    size = max(abs(values[0]), abs(values[-1]))
    scaled = values / size if size else values
    tolerance = 1e-11 + len(values) * 1e-15
    mean = math.fsum(scaled) / len(values) * size
    assert math.isclose(found["mean"], mean, rel_tol=1e-11, abs_tol=tolerance * size)
    # Slices are scaled as their group is, so that the least of its squares may vanish.
    group_size = max(abs(of_group[0]), abs(of_group[-1]))
    deviation = float(np.std(scaled.astype(np.longdouble)))
    assert math.isclose(found["stddev"], deviation * size, rel_tol=1e-7, abs_tol=max(1e-8 * size, 1e-150 * group_size))
    if isinstance(numbers[0], bool):
        return
    assert list(found["quantiles"]) == FRACTIONS
    for fraction, quantile in found["quantiles"].items():
        # Rounding may take fraction * n to either side of a whole number.
        ranks = {math.ceil(fraction * len(values) + nudge) for nudge in (-1e-9, 1e-9)}
        assert quantile in {values[min(max(rank, 1), len(values)) - 1] for rank in ranks}, fraction
    bins = found["quantile_histogram"]
    assert [one["row_count"] for one in bins] == np.diff(
        [math.ceil(k * len(values) / 10 - 1e-9) for k in range(11)]
    ).tolist()
    assert bins[0]["low"] == values[0] and bins[-1]["high"] == values[-1]
    assert all(one["high"] == after["low"] for one, after in itertools.pairwise(bins))
    assert [one["high"] for one in bins[:-1]] == [found["quantiles"][k / 10] for k in range(1, 10)]


def _numbers(values: list[Any]) -> list[Any]:
    numbers = [one for one in values if isinstance(one, bool | int | decimal.Decimal | float | dt.date)]
    return [one for one in numbers if not isinstance(one, float) or math.isfinite(one)]


def _sorted(numbers: list[Any]) -> "np.ndarray[Any, Any]":
    return np.sort(np.array([as_number(value) for value in numbers], dtype=float))


def _assert_histogram(
    bins: list[dict[str, Any]], values: "np.ndarray[Any, Any]", of_group: "np.ndarray[Any, Any]"
) -> None:
    """Edges as numpy's over the group, and counts by comparison with the very edges that are given."""
    low, high = of_group[0], of_group[-1]
    if low == high:
        assert bins == [{"low": low, "high": low, "row_count": len(values)}]
        return
    edges = [one["low"] for one in bins] + [bins[-1]["high"]]
    size = max(abs(low), abs(high))
    assert np.allclose(np.array(edges) / size, np.linspace(low / size, high / size, 11), rtol=0, atol=4e-15)
    assert edges[0] == low and edges[-1] == high
    counts = [int(((values >= one) & (values < after)).sum()) for one, after in itertools.pairwise(edges)]
    counts[-1] += int((values == high).sum())
    assert [one["row_count"] for one in bins] == counts
