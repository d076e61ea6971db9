"""Time zones as DuckDB has them: their offsets from UTC are asked of it once, when an expression is compiled."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

from ml.expressions.casts import DAY, LAST_MOMENT
from ml.expressions.column import Column, refuse

Times = npt.NDArray[np.int64]
_FIRST = -43_830 * DAY
"""1850; no zone has a rule of an earlier time."""
_PERIOD = 146_097 * DAY
"""400 years, after which the calendar and the rules of daylight saving come again."""
_REPEATS = 47_482 * DAY
"""2100; no zone has a single rule for a later time."""


@dataclass(frozen=True)
class Zone:
    """When a zone's offset changes: at `changes[i]` (microseconds, UTC) from `offsets[i]` to `offsets[i + 1]`."""

    changes: Times
    offsets: Times

    def local(self, column: Column) -> Column:
        """A timestamptz at the zone: the time on its clocks."""
        found = self.offsets[np.searchsorted(self.changes, _folded(column.values), side="right")]
        return _moved(column, found)

    def utc(self, column: Column) -> Column:
        """A timestamp of the zone's clocks as timestamptz: of an hour that comes twice the second one, and one that is
        skipped is counted from before the change."""
        edges = self.changes + self.offsets[1:]
        found = self.offsets[np.searchsorted(edges, _folded(column.values), side="right")]
        return _moved(column, -found)


def _folded(times: Times) -> Times:
    late = times >= _REPEATS + _PERIOD
    return np.where(late, _REPEATS + (times - _REPEATS) % _PERIOD, times)


def _moved(column: Column, offsets: Times) -> Column:
    infinite = np.abs(column.values) == LAST_MOMENT
    with np.errstate(over="ignore"):
        moved = column.values + offsets
    refuse(~infinite & ((moved > column.values) != (offsets > 0)) & (offsets != 0), column.null)
    return Column(np.where(infinite, column.values, moved), column.null)


@functools.cache
def zone(name: str) -> Zone | None:
    """A zone by its name, None where DuckDB has none of that name: a day's grid, and then a search for the moments."""
    with duckdb.connect(":memory:", config={"threads": 1}) as database:
        database.execute("set TimeZone = 'UTC'")
        try:
            ask = _asker(database, name)
            grid = np.arange(_FIRST, _REPEATS + _PERIOD + DAY, DAY)
            offsets = ask(grid)
        except (duckdb.Error, ValueError):
            return None
        before = np.flatnonzero(offsets[1:] != offsets[:-1])
        low, high = grid[before], grid[before + 1]
        while (high - low > 1_000_000).any():
            middle = (low + high) // 2 // 1_000_000 * 1_000_000
            same = ask(middle) == offsets[before]
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        return Zone(high, np.concatenate([offsets[:1], offsets[before + 1]]))


def _asker(database: duckdb.DuckDBPyConnection, name: str) -> Callable[[Times], Times]:
    query = (
        "select epoch_us(make_timestamptz(moment) at time zone $zone) - moment as offset_us from asked order by place"
    )

    def ask(times: Times) -> Times:
        database.register("asked", {"moment": times, "place": np.arange(len(times))})
        found: Times = database.execute(query, {"zone": name}).fetchnumpy()["offset_us"]
        return found

    return ask
