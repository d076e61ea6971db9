"""Section: drift, for each comparison of each relation the features with their histograms and methods."""

import datetime as dt
import json
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ml.reports.histograms import Aligned, Bin, Shares, aligned, compared_shares, finest
from ml.reports.quality import position
from ml.reports.rows import Monitoring, Relation, Row
from ml.reports.svg import Point
from ml.reports.words import name, percent

_PICTURES = 200
_DETAILED = 16
_SLICES = 60


@dataclass(frozen=True)
class Method:
    """A method's row of the current window, and its values and thresholds over windows.

    is_deciding: whether it was beyond its threshold in a window that is shown, or is the first of its feature.
    """

    current: Row
    is_deciding: bool
    values: list[Point]
    thresholds: list[Point]
    beyond: list[Point]
    drifted: list[Point]


@dataclass(frozen=True)
class FeatureDrift:
    """A feature: state 'drifted', 'beyond' or 'steady'; methods, the farthest beyond its threshold first.

    type: of the column, '' of all features together. aligned or shares: the reference and the current rows; neither where
    there is nothing to compare. told: what the evidence of the first method says, if anything. is_detailed: whether the lines of
    all methods are to be drawn, not only of those that decide.
    """

    name: str
    state: str
    type: str
    methods: list[Method]
    reference: Row | None
    aligned: Aligned | None
    shares: Shares | None
    told: str
    is_detailed: bool

    @property
    def shown(self) -> list[Method]:
        """The methods whose lines are always seen."""
        return [method for method in self.methods if method.is_deciding] if self.is_detailed else self.methods[:1]

    @property
    def others(self) -> list[Method]:
        """The methods beside those."""
        return [method for method in self.methods if not method.is_deciding] if self.is_detailed else self.methods[1:]


@dataclass(frozen=True)
class Comparison:
    """The features of a relation in one comparison, drifted ones first; slices: rows of slices that are beyond now."""

    relation: Relation
    comparison: str
    window_at: dt.datetime
    features: list[FeatureDrift]
    left_out: int
    drifted: list[str]
    beyond: list[str]
    slices: list[Row]
    slices_left_out: int


def drift(monitoring: Monitoring) -> list[Comparison]:
    """All comparisons that have rows in the windows that are shown."""
    pairs = [
        (relation, comparison) for relation in monitoring.relations for comparison in _compared(monitoring, relation)
    ]
    pictures = _PICTURES // max(1, len(pairs))
    return [
        _of_comparison(monitoring, relation, comparison, pictures, _DETAILED // len(pairs))
        for relation, comparison in pairs
    ]


def _compared(monitoring: Monitoring, relation: Relation) -> list[str]:
    return sorted({row["comparison"] for row in monitoring.drift if row["relation"] == relation.name})


def _of_comparison(
    monitoring: Monitoring, relation: Relation, comparison: str, pictures: int, detailed: int
) -> Comparison:
    rows = [row for row in monitoring.drift if (row["relation"], row["comparison"]) == (relation.name, comparison)]
    current_at = max(row["window_at"] for row in rows)
    history: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows, key=lambda row: row["window_at"]):
        if row["slice"] == "all":
            history[row["feature"]][row["method"]].append(row)
    found = []
    for feature, by_method in history.items():
        current = [of for of in by_method.values() if of[-1]["window_at"] == current_at]
        if current:
            current.sort(key=lambda of: (-_nearness(of[-1]), of[-1]["method"]))
            methods = [_method(of, relation, place == 0) for place, of in enumerate(current)]
            found.append((feature, _state(method.current for method in methods), methods))
    found.sort(key=lambda one: (("drifted", "beyond", "steady").index(one[1]), -_nearness(one[2][0].current), one[0]))
    sides = _sides(monitoring, relation, comparison, current_at)
    features = [
        _feature(feature, state, methods, sides.get(feature), place < detailed)
        for place, (feature, state, methods) in enumerate(found[:pictures])
    ]
    slices = [row for row in rows if row["slice"] != "all" and row["window_at"] == current_at and row["is_beyond"]]
    slices.sort(key=lambda row: (not row["is_drifted"], -_nearness(row)))
    return Comparison(
        relation=relation,
        comparison=comparison,
        window_at=current_at,
        features=features,
        left_out=len(found) - len(features),
        drifted=[feature for feature, state, _ in found if state == "drifted"],
        beyond=[feature for feature, state, _ in found if state == "beyond"],
        slices=slices[:_SLICES],
        slices_left_out=max(0, len(slices) - _SLICES),
    )


def _method(rows: list[Row], relation: Relation, is_first: bool) -> Method:
    places = [(position(row["window_at"], relation.windows), row) for row in rows]
    return Method(
        current=rows[-1],
        is_deciding=is_first or any(row["is_beyond"] or row["is_drifted"] for row in rows),
        values=[(at, row["value"]) for at, row in places],
        thresholds=[(at, row["threshold"]) for at, row in places],
        beyond=[(at, row["value"]) for at, row in places if row["is_beyond"] and not row["is_drifted"]],
        drifted=[(at, row["value"]) for at, row in places if row["is_drifted"]],
    )


def _state(rows: Iterable[Row]) -> str:
    kept = list(rows)
    if any(row["is_drifted"] for row in kept):
        return "drifted"
    return "beyond" if any(row["is_beyond"] for row in kept) else "steady"


def _nearness(row: Row) -> float:
    """The value as a multiple of the threshold; what is beyond comes before all that is not."""
    value, threshold = row["value"], row["threshold"]
    ratio = value / threshold if value is not None and threshold else 0.0
    return (1e9 if row["is_beyond"] else 0.0) + (min(ratio, 1e8) if math.isfinite(ratio) else 0.0)


def _sides(
    monitoring: Monitoring, relation: Relation, comparison: str, current_at: dt.datetime
) -> dict[str, tuple[Row, Row]]:
    """The reference and the current statistics of each feature that has both."""
    current = {
        row["feature"]: row
        for row in monitoring.statistics
        if (row["relation"], row["window_at"]) == (relation.name, current_at)
    }
    return {
        row["feature"]: (row, current[row["feature"]])
        for row in monitoring.reference
        if (row["relation"], row["comparison"]) == (relation.name, comparison) and row["feature"] in current
    }


def _feature(
    feature: str, state: str, methods: list[Method], sides: tuple[Row, Row] | None, is_detailed: bool
) -> FeatureDrift:
    told = _told(methods[0].current)
    if sides is None:
        return FeatureDrift(feature, state, "", methods, None, None, None, told, is_detailed)
    reference, now = sides
    before = [
        one
        for histogram, quantiles in zip(reference["histograms"], reference["quantiles"], strict=True)
        for one in finest(_bins(histogram), quantiles)
    ]
    pair = aligned(before, finest(_bins(now["histogram"]), now["quantiles"]))
    shares = None
    if pair is None:
        shares = compared_shares(
            _counts(top for window in reference["top_values"] for top in window),
            _counts(now["top_values"]),
            int(reference["row_count"]),
            now["row_count"] - now["missing_count"],
        )
    return FeatureDrift(feature, state, now["type"], methods, reference, pair, shares, told, is_detailed)


def _told(row: Row) -> str:
    """What the evidence of a row says: by which features all of them together are told apart."""
    evidence = json.loads(row.get("evidence") or "{}")
    features = evidence.get("features") if isinstance(evidence, dict) else None
    if not isinstance(features, dict) or not features:
        return ""
    return "Told apart by " + ", ".join(f"{name(feature)} {percent(share)}" for feature, share in features.items())


def _bins(histogram: list[Row]) -> list[Bin]:
    return [(one["low"], one["high"], one["row_count"]) for one in histogram]


def _counts(top_values: Iterable[Row]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for top in top_values:
        counts[top["value"]] += top["row_count"]
    return counts
