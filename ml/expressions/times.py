"""Dates, times and intervals, in UTC. A time is microseconds since 1970, a date days, an interval three numbers."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ml.expressions.casts import DAY, LAST_DAY, LAST_MOMENT
from ml.expressions.column import Column, refuse
from ml.expressions.types import Type

Times = npt.NDArray[np.int64]
SECOND = 1_000_000
UNITS = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": SECOND,
    "minute": 60 * SECOND,
    "hour": 3_600 * SECOND,
    "day": DAY,
    "week": 7 * DAY,
}
"""The units that have one length, in microseconds."""
MONTHS = {"month": 1, "quarter": 3, "year": 12}
"""The units of the calendar, in months."""
INTERVALS = {
    **{unit: (0, 0, length) for unit, length in UNITS.items()},
    "day": (0, 1, 0),
    "week": (0, 7, 0),
    **{unit: (months, 0, 0) for unit, months in MONTHS.items()},
}
"""What one unit is as an interval: months, days, microseconds."""
_MONDAY = 4
"""1970-01-05, in days."""


def is_infinite(column: Column, kind: Type) -> npt.NDArray[np.bool_]:
    """Where a date or time is 'infinity' or '-infinity'."""
    return np.asarray(np.abs(column.values) == (LAST_DAY if kind.name == "DATE" else LAST_MOMENT))


def _days(column: Column, kind: Type) -> Times:
    days: Times = column.values if kind.name == "DATE" else column.values // DAY
    return days


def _months(days: Times) -> Times:
    """Months since 1970-01."""
    months: Times = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months


def _first_day(months: Times) -> Times:
    days: Times = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return days


def _year(days: Times) -> Times:
    return _months(days) // 12 + 1970


def _day_of_year(days: Times) -> Times:
    return days - _first_day(_months(days) // 12 * 12) + 1


def _week(days: Times) -> Times:
    """ISO 8601: the week belongs to the year of its Thursday."""
    thursday = (days - _MONDAY) // 7 * 7 + _MONDAY + 3
    return (_day_of_year(thursday) - 1) // 7 + 1


_OF_DAYS: dict[str, Callable[[Times], Times]] = {
    "year": _year,
    "quarter": lambda days: _months(days) % 12 // 3 + 1,
    "month": lambda days: _months(days) % 12 + 1,
    "week": _week,
    "day": lambda days: days - _first_day(_months(days)) + 1,
    "dow": lambda days: (days - _MONDAY + 1) % 7,
    "isodow": lambda days: (days - _MONDAY) % 7 + 1,
    "doy": _day_of_year,
}
_OF_TIME: dict[str, Callable[[Times], Times]] = {
    "hour": lambda times: times % DAY // UNITS["hour"],
    "minute": lambda times: times % UNITS["hour"] // UNITS["minute"],
    "second": lambda times: times % UNITS["minute"] // SECOND,
}
PARTS = [*_OF_DAYS, *_OF_TIME]


def part(name: str, kind: Type) -> Callable[[Column], Column]:
    """A part of a date or a time, null of an infinite one."""

    def operate(column: Column) -> Column:
        infinite = is_infinite(column, kind)
        if name in _OF_DAYS:
            found = _OF_DAYS[name](_days(column, kind))
        else:
            found = _OF_TIME[name](np.zeros_like(column.values) if kind.name == "DATE" else column.values)
        return Column(found, column.null | infinite)

    return operate


def epoch(kind: Type) -> Callable[[Column], Column]:
    """Seconds since 1970, or of an interval: its year has 365.25 days and its month 30. Null of an infinite time."""

    def operate(column: Column) -> Column:
        if kind.name == "INTERVAL":
            months, days, micros = column.values.T
            years = np.fix(months / 12).astype(np.int64)
            whole = (years * 365 + (months - years * 12) * 30 + days) * 86_400 + years * 21_600
            return Column(whole.astype(np.float64) + micros.astype(np.float64) / SECOND, column.null)
        if kind.name == "DATE":
            values = column.values * 86_400.0
        elif kind.name == "TIMESTAMP":
            values = column.values / SECOND
        else:
            # By its milliseconds and what is left, each rounded, as DuckDB's calendar does it.
            values = column.values // 1_000 / 1_000 + column.values % 1_000 / SECOND
        return Column(values, column.null | is_infinite(column, kind))

    return operate


def truncated(unit: str) -> Callable[[Column], Column]:
    """`date_trunc` of a time; an infinite one stays."""

    def operate(column: Column) -> Column:
        times = column.values
        if unit in MONTHS:
            step = MONTHS[unit]
            made = _first_day(_months(times // DAY) // step * step) * DAY
        else:
            start = _MONDAY * DAY if unit == "week" else 0
            made = (times - start) // UNITS[unit] * UNITS[unit] + start
        return Column(np.where(np.abs(times) == LAST_MOMENT, times, made), column.null)

    return operate


def boundaries(unit: str) -> Callable[[Column, Column], Column]:
    """`date_diff`: how many boundaries of a unit lie between two times; null where one is infinite."""
    step = MONTHS.get(unit)

    def count(times: Times) -> Times:
        return times // UNITS[unit] if step is None else _months(times // DAY) // step

    def operate(one: Column, other: Column) -> Column:
        infinite = (np.abs(one.values) == LAST_MOMENT) | (np.abs(other.values) == LAST_MOMENT)
        return Column(count(other.values) - count(one.values), one.null | other.null | infinite)

    return operate


def difference(one: Column, other: Column) -> Column:
    """The interval between two times, in days and microseconds. An infinite time has none."""
    null = one.null | other.null
    refuse((np.abs(one.values) == LAST_MOMENT) | (np.abs(other.values) == LAST_MOMENT), null)
    with np.errstate(over="ignore"):
        micros = one.values - other.values
    refuse(((one.values ^ other.values) & (one.values ^ micros)) < 0, null)
    rest = np.fmod(micros, DAY)
    return Column(np.column_stack([np.zeros_like(micros), (micros - rest) // DAY, rest]), null)


def days_between(one: Column, other: Column) -> Column:
    """One date minus another."""
    return Column(one.values - other.values, one.null | other.null)


def moved(sign: int) -> Callable[[Column, Column], Column]:
    """A time plus or minus an interval: first its months, then its days and microseconds. An infinite time stays."""

    def operate(column: Column, interval: Column) -> Column:
        null = column.null | interval.null
        infinite = np.abs(column.values) == LAST_MOMENT
        months, days, micros = sign * interval.values.T
        day, time = column.values // DAY, column.values % DAY
        month = _months(day)
        # The day of the month, or the last one of a shorter month.
        last = _first_day(month + months + 1) - 1
        shifted = np.minimum(_first_day(month + months) + day - _first_day(month), last)
        day = np.where(months == 0, day, shifted) + days
        over = time + micros
        day, over = day + over // DAY, over % DAY
        bad = (day < -106_751_990) | (day > 106_751_990)
        refuse(bad & ~infinite, null)
        made = np.where(bad, 0, day) * DAY + over
        return Column(np.where(infinite, column.values, made), null)

    return operate


def moved_days(sign: int) -> Callable[[Column, Column], Column]:
    """A date plus or minus days. An infinite date stays."""

    def operate(column: Column, days: Column) -> Column:
        null = column.null | days.null
        infinite = np.abs(column.values) == LAST_DAY
        made = column.values + sign * days.values.astype(np.int64)
        refuse(~infinite & (np.abs(made) >= LAST_DAY), null)
        return Column(np.where(infinite, column.values, made), null)

    return operate
