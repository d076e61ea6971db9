"""The report's pictures: small SVG texts, coloured by the page's style sheet. Every coordinate is a finite number.

Each has a title, which says in words what it shows. A time is a position from 0 (the first window that is shown) to 1.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ml.reports.histograms import Aligned, Shares
from ml.reports.words import name, number, percent

Point = tuple[float, float | None]


@dataclass(frozen=True)
class Measured:
    """A value of a metric with its band, at a position."""

    at: float
    value: float | None
    low: float | None
    high: float | None


_GAP = 1.6
"""Windows that are further apart than this many steps have others between them that are not there: the line is broken."""
_DOTS = {"realised": "m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0", "estimated": "m-2.5-2.5h5v5h-5z"}


def line(points: Sequence[Point], title: str, low: float | None = None, high: float | None = None) -> Markup:
    """A value over time. low, high: what the bottom and the top mean; by default the least and greatest value."""
    scale = _Scale([value for _, value in points], low, high, 20)
    drawn = _paths([(position * 96 + 2, scale(value)) for position, value in points])
    return _svg(100, 24, title, Markup('<path class="l" d="{}"/>').format(drawn), "spark")


def measured_line(points: Sequence[Measured], title: str) -> Markup:
    """The values of a metric over time, without their bands."""
    return line([(point.at, point.value) for point in points], title)


def against_threshold(
    points: Sequence[Point], thresholds: Sequence[Point], beyond: Sequence[Point], drifted: Sequence[Point], title: str
) -> Markup:
    """A value over time with its threshold; a triangle where it is beyond, a square where it has drifted."""
    scale = _Scale([value for series in (points, thresholds) for _, value in series], 0, None, 32)
    parts = [
        Markup('<path class="t" d="{}"/>').format(_paths([(at * 152 + 4, scale(value)) for at, value in thresholds])),
        Markup('<path class="l" d="{}"/>').format(_paths([(at * 152 + 4, scale(value)) for at, value in points])),
    ]
    for series, shape, style in ((beyond, "l3 6h-6z", "w"), (drifted, "m-3 0h6v6h-6z", "e")):
        marks = [(at * 152 + 4, scale(value)) for at, value in series]
        drawn = "".join(f"M{_n(x)} {_n(max(0.0, y - 3))}{shape}" for x, y in marks if y is not None)
        if drawn:
            parts.append(Markup('<path class="{}" d="{}"/>').format(style, drawn))
    return _svg(160, 38, title, Markup("").join(parts), "spark")


def share_bar(share: float | None, title: str) -> Markup:
    """A share of 0 to 1 as a bar."""
    width = 0.0 if share is None or not math.isfinite(share) else min(max(share, 0.0), 1.0) * 40
    drawn = Markup('<path class="f" d="M0 0h40v8h-40z"/><path class="m" d="M0 0h{0}v8h-{0}z"/>')
    return _svg(40, 8, title, drawn.format(_n(width)), "bar")


def accuracy(learned: float | None, known: float | None, low: float | None, high: float | None, title: str) -> Markup:
    """From 0 to 1: what was learned as a bar, what is known as a stroke with its interval. One that is not there is not drawn."""
    scale = _Scale([], 0, 1, 92)
    # A scale counts from the top; a bar from the left.
    bar, at, first, last = (
        None if (place := scale(share)) is None else 96 - place for share in (learned, known, low, high)
    )
    parts = [Markup('<path class="f" d="M2 2h92v10h-92z"/>')]
    if bar is not None:
        parts.append(Markup('<path class="p" d="M2 2H{}V12H2z"/>').format(_n(bar)))
    if at is not None:
        parts.append(Markup('<path class="g" d="M{0} 1V13"/>').format(_n(at)))
    if first is not None and last is not None:
        parts.append(Markup('<path class="g" d="M{} 7H{}"/>').format(_n(first), _n(last)))
    return _svg(96, 14, title, Markup("").join(parts), "spark")


def quantile_box(quantiles: Mapping[float, float], least: float | None, greatest: float | None, title: str) -> Markup:
    """Between the least and greatest value: the 5 % to 95 % quantile as a line, the middle half as a box, the median a stroke.

    Empty without quantiles.
    """
    at = [quantiles.get(share) for share in (0.05, 0.25, 0.5, 0.75, 0.95)]
    if any(value is None or not math.isfinite(value) for value in at):
        return Markup("")
    scale = _Scale(at, least, greatest, 92)
    # A scale counts from the top; a box from the left.
    first, left, middle, right, last = (98 - (scale(value) or 0.0) for value in at)
    return _svg(
        100,
        14,
        title,
        Markup(
            '<path class="t" d="M{} 7H{}"/><path class="p" d="M{} 2H{}V12H{}z"/><path class="l" d="M{} 1V13"/>'
        ).format(_n(first), _n(last), _n(left), _n(right), _n(left), _n(middle)),
        "spark",
    )


def histograms(pair: Aligned, ends: tuple[str, str], title: str) -> Markup:
    """The current rows as filled bars, and the reference as an outline over them. ends: how the outer edges are written."""
    scale = _Scale([*pair.reference, *pair.current], 0, None, 68)
    width = 236 / len(pair.current)
    text = Markup('<text x="2" y="84">{}{}</text><text x="238" y="84" text-anchor="end">{}{}</text>').format(
        "≤ " if pair.is_cut else "", ends[0], "≥ " if pair.is_cut else "", ends[1]
    )
    drawn = Markup('<path class="p" d="{}"/><path class="r" d="{}"/><path class="a" d="M2 72H238"/>').format(
        _steps(pair.current, scale, width), _steps(pair.reference, scale, width)
    )
    return _svg(240, 88, title, drawn + text, "histogram")


def distribution(shares: Sequence[float], ends: tuple[str, str], title: str) -> Markup:
    """Shares of rows in bins of one width as bars. ends: how the outer edges are written."""
    scale = _Scale(shares, 0, None, 68)
    drawn = Markup(
        '<path class="p" d="{}"/><path class="a" d="M2 72H238"/><text x="2" y="84">{}</text>'
        '<text x="238" y="84" text-anchor="end">{}</text>'
    ).format(_steps(shares, scale, 236 / len(shares)), *ends)
    return _svg(240, 88, title, drawn, "histogram")


def values(shares: Shares, title: str) -> Markup:
    """Values with two bars each: the current share filled, and the reference's as an outline under it."""
    greatest = max((max(before, now) for _, before, now in shares.values), default=0.0) or 1.0
    drawn = Markup(
        '<text x="96" y="{}" text-anchor="end">{}</text><path class="p" d="M100 {}h{now}v7h-{now}z"/>'
        '<path class="r" d="M100 {}h{before}v6h-{before}z"/>'
    )
    parts = []
    for place, (value, before, now) in enumerate(shares.values):
        top = place * 18 + 2
        widths = {"now": _n(now / greatest * 138), "before": _n(before / greatest * 138)}
        parts.append(drawn.format(top + 11, _label(value), top, top + 8, **widths))
    return _svg(240, len(shares.values) * 18 + 2, title, Markup("").join(parts), "histogram")


def quality(
    series: Mapping[str, Sequence[Measured]], reference: float | None, labels: tuple[str, str], title: str
) -> Markup:
    """A metric over windows: the values that were realised and estimated, each with its band, and one to compare with.

    series: by basis, 'realised' (round dots) or 'estimated' (square ones). labels: of the first and the last window.
    """
    every = [value for points in series.values() for point in points for value in (point.value, point.low, point.high)]
    scale = _Scale([*every, reference], None, None, 120)
    parts = [_band(basis, points, scale) for basis, points in series.items()]
    if (height := scale(reference)) is not None:
        parts.append(Markup('<path class="t" d="M50 {}H314"/>').format(_n(height)))
    for basis, points in series.items():
        places = [(point.at * 260 + 50, scale(point.value)) for point in points]
        dots = "".join(f"M{_n(x)} {_n(y)}{_DOTS[basis]}" for x, y in places if y is not None)
        parts.append(
            Markup('<path class="s{0}" d="{1}"/><path class="d{0}" d="{2}"/>').format(basis[0], _paths(places), dots)
        )
    frame = Markup(
        '<path class="a" d="M46 2V124H316"/><text x="42" y="10" text-anchor="end">{}</text>'
        '<text x="42" y="124" text-anchor="end">{}</text><text x="48" y="138">{}</text>'
        '<text x="316" y="138" text-anchor="end">{}</text>'
    ).format(number(scale.high), number(scale.low), *labels)
    return _svg(320, 142, title, frame + Markup("").join(parts), "chart")


def _band(basis: str, points: Sequence[Measured], scale: "_Scale") -> Markup:
    ends = [(point.at * 260 + 50, scale(point.low), scale(point.high)) for point in points]
    whole = [(x, low, high) for x, low, high in ends if low is not None and high is not None]
    if not whole:
        return Markup("")
    corners = [(x, high) for x, _, high in whole] + [(x, low) for x, low, _ in reversed(whole)]
    drawn = "L".join(f"{_n(x)} {_n(y)}" for x, y in corners)
    return Markup('<path class="b{}" d="M{}z"/>').format(basis[0], drawn)


def described(shares: Shares) -> str:
    """Shares in words, for a picture's title."""
    return "; ".join(f"{name(value)} {percent(before)} then {percent(now)}" for value, before, now in shares.values)


class _Scale:
    """Values as heights from the top of a picture, 2 at the top; the inverse of size. Not finite ones have none."""

    def __init__(self, found: Iterable[float | None], low: float | None, high: float | None, height: float) -> None:
        finite = [value for value in found if value is not None and math.isfinite(value)]
        self.low = min([*finite, *([] if low is None else [low])], default=0.0)
        self.high = max([*finite, *([] if high is None else [high])], default=1.0)
        self.height = height

    def __call__(self, value: float | None) -> float | None:
        if value is None or not math.isfinite(value):
            return None
        # Halves, since the width of the widest double range is no double.
        width = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / width if width > 0 else 0.5
        return 2 + (1 - min(max(share, 0.0), 1.0)) * self.height


def _svg(width: int, height: int, title: str, drawn: Markup, style: str) -> Markup:
    return Markup('<svg class="{}" viewBox="0 0 {} {}" role="img"><title>{}</title>{}</svg>').format(
        style, width, height, title, drawn
    )


def _label(text: str) -> str:
    shown = name(text)
    return shown if len(shown) <= 16 else f"{shown[:10]}…{shown[-5:]}"


def _paths(points: Sequence[tuple[float, float | None]]) -> str:
    """A line through the points that have a value, broken where windows are missing; a lone point is a short stroke."""
    steps = [after[0] - before[0] for before, after in itertools.pairwise(points)]
    step = min(steps, default=0.0)
    pieces: list[list[str]] = [[]]
    before = -math.inf
    for x, y in points:
        if y is None or x - before > step * _GAP:
            pieces.append([])
        if y is not None:
            pieces[-1].append(f"{_n(x)} {_n(y)}")
            before = x
    return "".join(f"M{piece[0]}h1" if len(piece) == 1 else "M" + "L".join(piece) for piece in pieces if piece)


def _steps(shares: Sequence[float], scale: _Scale, width: float) -> str:
    """The outline of bars from the base line on and back to it."""
    tops = "".join(f"V{_n(scale(share) or 0.0)}H{_n(2 + (place + 1) * width)}" for place, share in enumerate(shares))
    return f"M2 70{tops}V70"


def _n(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")
