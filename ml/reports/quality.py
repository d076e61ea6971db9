"""Section: the quality of the data, a table of features for each relation."""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ml.reports.rows import Monitoring, Relation, Row
from ml.reports.svg import Point

FEATURES = 200
"""How many features of a relation are shown; those with anomalies first."""
_ANOMALIES = 60


@dataclass(frozen=True)
class FeatureQuality:
    """The statistics of a feature in the current window, and its share of missing values over windows.

    least, greatest: of a feature with quantiles.
    """

    current: Row
    least: float | None
    greatest: float | None
    missing: float | None
    missing_before: list[Point]
    anomalies: list[Row]


@dataclass(frozen=True)
class RelationQuality:
    """What stands in a relation's table; row_counts over windows; anomalies of all windows that are shown, newest first.

    filled_at: the last window that has rows, where that is not the last one that is complete by the clock.
    """

    relation: Relation
    window_at: dt.datetime | None
    filled_at: dt.datetime | None
    row_count: int
    row_counts: list[Point]
    features: list[FeatureQuality]
    left_out: int
    anomalies: list[Row]
    anomalies_left_out: int


def position(at: dt.datetime, windows: Sequence[dt.datetime]) -> float:
    """Where a window lies between the first and the last that are shown, 0 to 1."""
    return (at - windows[0]) / (windows[-1] - windows[0]) if len(windows) > 1 else 0.5


def data_quality(monitoring: Monitoring) -> list[RelationQuality]:
    """The tables of all relations."""
    return [_of_relation(monitoring, relation) for relation in monitoring.relations]


def is_now(row: Row, window_at: dt.datetime | None) -> bool:
    """Whether a row is about a relation's current window, or a later one that has no rows."""
    return window_at is None or bool(row["window_at"] >= window_at)


def _of_relation(monitoring: Monitoring, relation: Relation) -> RelationQuality:
    statistics = [row for row in monitoring.statistics if row["relation"] == relation.name]
    found = [row for row in monitoring.anomalies if row["relation"] == relation.name]
    found.sort(key=lambda row: (-row["window_at"].timestamp(), row["severity"], row["feature"], row["kind"]))
    current_at = relation.windows[-1] if relation.windows else None
    now: dict[str, list[Row]] = defaultdict(list)
    for anomaly in found:
        if is_now(anomaly, current_at):
            now[anomaly["feature"]].append(anomaly)
    history: dict[str, list[Row]] = defaultdict(list)
    counts: dict[dt.datetime, int] = {}
    for row in sorted(statistics, key=lambda row: row["window_at"]):
        history[row["feature"]].append(row)
        counts[row["window_at"]] = max(row["row_count"], counts.get(row["window_at"], 0))
    filled_at = max((at for at, count in counts.items() if count), default=None)
    features = [
        FeatureQuality(
            current=rows[-1],
            least=_number(rows[-1]["min"]),
            greatest=_number(rows[-1]["max"]),
            missing=_share_missing(rows[-1]),
            missing_before=[(position(row["window_at"], relation.windows), _share_missing(row)) for row in rows],
            anomalies=now[feature],
        )
        for feature, rows in history.items()
        if rows[-1]["window_at"] == current_at
    ]
    features.sort(key=lambda feature: (not feature.anomalies, feature.current["feature"]))
    return RelationQuality(
        relation=relation,
        window_at=current_at,
        filled_at=filled_at if filled_at and filled_at < relation.due_at else None,
        row_count=counts[current_at] if current_at else 0,
        row_counts=[(position(at, relation.windows), float(count)) for at, count in counts.items()],
        features=features[:FEATURES],
        left_out=max(0, len(features) - FEATURES),
        anomalies=found[:_ANOMALIES],
        anomalies_left_out=max(0, len(found) - _ANOMALIES),
    )


def _number(text: str | None) -> float | None:
    """The number that a text is, if it is a finite one."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _share_missing(row: Row) -> float | None:
    return row["missing_count"] / row["row_count"] if row["row_count"] else None
