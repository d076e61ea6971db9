"""How the report writes numbers, times and names that come from data."""

import datetime as dt
import math
import re

_NAME_LENGTH = 60
_TEXT_LENGTH = 600
# Control characters, line separators, and marks that turn the direction of the text behind them: none is seen, and some make
# a text look like another. Lone surrogates cannot be written as UTF-8.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_SECONDS = 2.5e11
"""Times beyond this many seconds from 1970 are beyond Python's years."""
_LABELS = {"hour": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m"}


def number(value: float | None) -> str:
    """A number with three or four digits that count; a whole one with all of its digits up to a billion.

    >>> [number(value) for value in (None, 0.0, 12, 1234567, 0.123456, 1234.5, -0.0000123, 2.5e12)]
    ['-', '0', '12', '1,234,567', '0.123', '1,234', '-1.23e-05', '2.5e+12']
    """
    if value is None or not math.isfinite(value):
        return "-"
    if abs(value) < 1e9 and (value == int(value) or abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(share: float | None) -> str:
    """A share of 0 to 1 as percent, such that only none is 0 and only all is 100.

    >>> [percent(share) for share in (None, 0.0, 0.0002, 0.0312, 0.5, 0.9999, 1.0)]
    ['-', '0 %', '< 0.1 %', '3.1 %', '50 %', '> 99.9 %', '100 %']
    """
    if share is None or not math.isfinite(share):
        return "-"
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.2g} %" if share < 0.995 else f"{share * 100:.4g} %"


def probability(value: float | None) -> str:
    """A p-value.

    >>> [probability(value) for value in (None, 2e-30, 0.0312, 1.0)]
    ['-', '< 0.001', '0.0312', '1']
    """
    return "< 0.001" if value is not None and value < 0.001 else number(value)


def moment(at: dt.datetime | None) -> str:
    """A time to the minute.

    >>> moment(dt.datetime(2013, 12, 31, 12, tzinfo=dt.UTC)), moment(None)
    ('2013-12-31 12:00 UTC', '-')
    """
    return "-" if at is None else f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def value_of(value: float | None, type_name: str) -> str:
    """A statistic of a column of a type; of dates and times, which count as seconds since 1970, the time.

    >>> value_of(0.5, "double"), value_of(0.0, "timestamp with time zone"), value_of(1e300, "date")
    ('0.5', '1970-01-01 00:00', '1e+300')
    """
    if value is None or not type_name.lower().startswith(("date", "timestamp")) or not abs(value) < _SECONDS:
        return number(value)
    return f"{dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=value):%Y-%m-%d %H:%M}"


def window_label(at: dt.datetime, every: str) -> str:
    """The name of a window by its begin. every: 'hour', 'day', 'week' or 'month'.

    >>> window_label(dt.datetime(2013, 4, 1, tzinfo=dt.UTC), "month")
    '2013-04'
    """
    return at.astimezone(dt.UTC).strftime(_LABELS[every])


def name(text: object) -> str:
    """A name or value of the data, of 60 characters at most: its end is kept, since names often differ there.

    What cannot be seen is written as its code. The HTML is not escaped here.

    >>> name("a" * 100)[:4], len(name("a" * 100)), name("x\\u202ey")
    ('aaaa', 60, 'x\\\\u202ey')
    """
    return _cut(str(text), _NAME_LENGTH)


def sentence(text: object) -> str:
    """The same for a text, of 600 characters at most."""
    return _cut(str(text), _TEXT_LENGTH)


def _cut(text: str, length: int) -> str:
    # Cut before and after: a mark takes six characters in the place of one.
    seen = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", _shorten(text, length))
    return _shorten(seen, length)


def _shorten(text: str, length: int) -> str:
    tail = length // 4
    return text if len(text) <= length else f"{text[: length - tail - 1]}…{text[-tail:]}"
