"""Section: how good the models are in production, by version, metric and slice; and whether they were served consistently."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from ml.reports.quality import position
from ml.reports.rows import WINDOWS, Monitoring, Row
from ml.reports.svg import Measured

_VERSIONS = 3
_SLICES = 40


@dataclass(frozen=True)
class Metric:
    """A metric over windows: series by basis; latest: the newest row of each basis."""

    name: str
    slice: str
    series: dict[str, list[Measured]]
    latest: dict[str, Row]
    is_degraded: bool


@dataclass(frozen=True)
class VersionQuality:
    """The metrics of a version, of all rows and of slices, degraded ones first; windows ascending."""

    model: str
    version: int
    is_champion: bool
    windows: list[dt.datetime]
    metrics: list[Metric]
    slices: list[Metric]
    slices_left_out: int


@dataclass(frozen=True)
class Consistency:
    """What was compared of a version in the windows that are shown, and the rows where something differs, newest first."""

    model: str
    version: int
    compared: int
    features: int
    windows: list[dt.datetime]
    differing: list[Row]


def performance(monitoring: Monitoring) -> list[VersionQuality]:
    """The champion of each model and its newest versions."""
    by_version: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in monitoring.performance:
        by_version[row["model"], row["version"]].append(row)
    found = []
    for model in monitoring.models:
        champion = monitoring.champions.get(model)
        versions = sorted(
            (version for of, version in by_version if of == model), key=lambda one: (one != champion, -one)
        )
        found += [_version(by_version[model, version], version == champion) for version in versions[:_VERSIONS]]
    return found


def consistency(monitoring: Monitoring) -> list[Consistency]:
    """Of each version whose logged features were compared."""
    by_version: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in monitoring.consistency:
        by_version[row["model"], row["version"]].append(row)
    return [_consistency(model, version, rows) for (model, version), rows in sorted(by_version.items())]


def _version(rows: list[Row], is_champion: bool) -> VersionQuality:
    windows = sorted({row["window_at"] for row in rows})[-WINDOWS:]
    by_metric: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["window_at"] in windows:
            by_metric[row["slice"], row["metric"]].append(row)
    metrics = [_metric(of, windows) for of in by_metric.values()]
    slices = [metric for metric in metrics if metric.slice != "all"]
    slices.sort(key=lambda metric: (not metric.is_degraded, metric.slice, metric.name))
    return VersionQuality(
        model=rows[0]["model"],
        version=rows[0]["version"],
        is_champion=is_champion,
        windows=windows,
        metrics=[metric for metric in metrics if metric.slice == "all"],
        slices=slices[:_SLICES],
        slices_left_out=max(0, len(slices) - _SLICES),
    )


def _metric(rows: list[Row], windows: list[dt.datetime]) -> Metric:
    series: dict[str, list[Measured]] = {}
    latest: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: (row["basis"] != "realised", row["window_at"])):
        at = position(row["window_at"], windows)
        series.setdefault(row["basis"], []).append(Measured(at, row["value"], row["low"], row["high"]))
        latest[row["basis"]] = row
    return Metric(
        rows[0]["metric"], rows[0]["slice"], series, latest, any(row["is_degraded"] for row in latest.values())
    )


def _consistency(model: str, version: int, rows: list[Row]) -> Consistency:
    windows = sorted({row["window_at"] for row in rows})[-WINDOWS:]
    shown = [row for row in rows if row["window_at"] in windows]
    differing = [row for row in shown if row["mismatch_count"] or row["missing_count"] or row["extra_count"]]
    differing.sort(key=lambda row: (-row["window_at"].timestamp(), -row["mismatch_count"], row["feature"]))
    return Consistency(
        model=model,
        version=version,
        compared=sum(row["compared_count"] for row in shown),
        features=len({row["feature"] for row in shown}),
        windows=windows,
        differing=differing,
    )
