"""How a column is distributed in two tables, computed in SQL from how often each value occurs in each.

All figures of a column come from one grouping, which spills to disk where it is larger than memory.
"""

from dataclasses import dataclass
from typing import Any

import duckdb

from ml.field_types import canonical, is_numeric
from ml.quoting import quote

QUANTILES = (5, 25, 50, 75, 95)
TOP_VALUES = 5
KOLMOGOROV_SMIRNOV = "kolmogorov_smirnov"
L_INFINITY = "l_infinity"

_TIMES = {"DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}


@dataclass(frozen=True)
class Distribution:
    """The values of a column in one table.

    mean, std (of a sample): of the finite values, in double; quantiles: per cent to value, the least value that this share
    of the values does not exceed (Hyndman and Fan, 1996, type 1); top: the values that occur most, with their counts.
    None where the column is not a number (mean, std), not ordered (min, max, quantiles) or ordered (top).
    """

    count: int
    null_count: int
    distinct_count: int
    mean: float | None = None
    std: float | None = None
    min: Any = None
    max: Any = None
    quantiles: dict[int, Any] | None = None
    top: list[tuple[Any, int]] | None = None


@dataclass(frozen=True)
class DistributionChange:
    """A column in two tables, and a distance from 0 (equal) to 1 of what is not null; None where one has no value.

    method: `kolmogorov_smirnov` for numbers and times, the greatest difference of the two distribution functions, as
    scipy.stats.ks_2samp gives it (Smirnov, 1948); `l_infinity` for the rest, the greatest difference of a value's shares,
    as TensorFlow Data Validation's infinity_norm comparator.
    """

    old: Distribution
    new: Distribution
    method: str
    distance: float | None


def compare_column(
    session: duckdb.DuckDBPyConnection, old: str, new: str, column: str, types: tuple[str, str]
) -> DistributionChange:
    """A column of the tables `old` and `new`. types: its SQL type in each; two kinds of types are compared as text."""
    is_number = all(_is_number(sql_type) for sql_type in types)
    is_ordered = is_number or (canonical(types[0]) == canonical(types[1]) and canonical(types[0]) in _TIMES)
    as_text = canonical(types[0]) != canonical(types[1]) and not is_number
    value = f"cast({quote(column)} as varchar)" if as_text else quote(column)
    session.execute(
        "create or replace temporary table frequencies as "
        "select value, count(*) filter (not is_new) as old, count(*) filter (is_new) as new "
        f"from (select {value} as value, false as is_new from {quote(old)} "
        f"union all select {value}, true from {quote(new)}) group by value"
    )
    counts = _counts(session)
    if not is_ordered:
        distance = _one(
            session, f"select max(abs({_share('old', counts)} - {_share('new', counts)})) from frequencies"
        )[0]
        top = {side: _top(session, side) for side in counts}
        return DistributionChange(
            Distribution(*counts["old"], top=top["old"]),
            Distribution(*counts["new"], top=top["new"]),
            L_INFINITY,
            distance,
        )
    distance, places = _order(session, counts)
    moments = {side: _moments(session, side) if is_number else (None, None) for side in counts}
    sides = {side: Distribution(*counts[side], *moments[side], *places[side]) for side in counts}
    return DistributionChange(sides["old"], sides["new"], KOLMOGOROV_SMIRNOV, distance)


def _is_number(sql_type: str) -> bool:
    return is_numeric(sql_type) and canonical(sql_type) != "BOOLEAN"


def _counts(session: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int, int]]:
    """Per table the numbers of values, nulls and distinct values."""
    found = {}
    for side in ("old", "new"):
        found[side] = _one(
            session,
            f"select coalesce(sum({side}) filter (value is not null), 0), coalesce(sum({side}) filter (value is null), 0), "
            f"count(*) filter (value is not null and {side} > 0) from frequencies",
        )
    return found


def _share(side: str, counts: dict[str, tuple[int, int, int]]) -> str:
    """A value's share of the values that are not null; null where the value is, or where there are none."""
    return f"if(value is null, null, {side} / nullif({counts[side][0]}, 0))"


def _top(session: duckdb.DuckDBPyConnection, side: str) -> list[tuple[Any, int]]:
    return session.execute(
        f"select value, {side} from frequencies where value is not null and {side} > 0 "
        f"order by {side} desc, value limit {TOP_VALUES}"
    ).fetchall()


def _moments(session: duckdb.DuckDBPyConnection, side: str) -> tuple[float | None, float | None]:
    """Mean and standard deviation of the finite values, in two passes.

    Summed in the order of the values: otherwise the last bit depends on which thread met a value first.
    """
    return _one(
        session,
        f"with finite as (select cast(value as double) as value, {side} as times from frequencies "
        f"where isfinite(cast(value as double)) and {side} > 0), "
        "center as (select kahan_sum(value * times order by value) / sum(times) as mean from finite) "
        "select any_value(mean), "
        "sqrt(kahan_sum(times * (value - mean) * (value - mean) order by value) / nullif(sum(times) - 1, 0)) "
        "from finite, center",
    )


def _order(
    session: duckdb.DuckDBPyConnection, counts: dict[str, tuple[int, int, int]]
) -> tuple[float | None, dict[str, tuple[Any, Any, dict[int, Any]]]]:
    """The Kolmogorov-Smirnov distance, and per table (min, max, quantiles)."""
    places = [
        f"min(value) filter ({side} > 0), max(value) filter ({side} > 0), "
        + ", ".join(
            f"min(value) filter ({side}_rank > 0 and {side}_rank * 100 >= {counts[side][0]} * {percent})"
            for percent in QUANTILES
        )
        for side in counts
    ]
    old, new = (f"{side}_rank / nullif({counts[side][0]}, 0)" for side in ("old", "new"))
    distance, *values = _one(
        session,
        "with ranked as (select *, sum(old) over in_order as old_rank, sum(new) over in_order as new_rank from frequencies "
        "where value is not null window in_order as (order by value rows unbounded preceding)) "
        f"select max(abs({old} - {new})), {', '.join(places)} from ranked",
    )
    width = 2 + len(QUANTILES)
    found = {side: values[place * width : (place + 1) * width] for place, side in enumerate(counts)}
    return distance, {
        side: (least, greatest, dict(zip(QUANTILES, quantiles, strict=True)))
        for side, (least, greatest, *quantiles) in found.items()
    }


def _one(session: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    return session.execute(query).fetchall()[0]
