"""Section: a light for each relation and model."""

from dataclasses import dataclass

from ml.reports.drift import Comparison
from ml.reports.performance import Consistency, VersionQuality
from ml.reports.quality import RelationQuality, is_now
from ml.reports.rows import Monitoring, Row, is_about
from ml.reports.words import window_label


@dataclass(frozen=True)
class Light:
    """state: 'error', 'warning', 'good' or 'unknown'; findings: why, in words; none where it is good."""

    kind: str
    name: str
    state: str
    findings: list[str]


def summary(
    monitoring: Monitoring,
    qualities: list[RelationQuality],
    comparisons: list[Comparison],
    versions: list[VersionQuality],
    consistencies: list[Consistency],
) -> list[Light]:
    """The lights of all relations, then of all models."""
    return [
        *(_of_relation(monitoring, quality, comparisons) for quality in qualities),
        *(_of_model(monitoring, model, versions, consistencies) for model in monitoring.models),
    ]


def _of_relation(monitoring: Monitoring, quality: RelationQuality, comparisons: list[Comparison]) -> Light:
    name = quality.relation.name
    alerts = _open_alerts(monitoring, name)
    now = [row for row in quality.anomalies if is_now(row, quality.window_at)]
    drifted = {feature for one in comparisons if one.relation.name == name for feature in one.drifted}
    beyond = {feature for one in comparisons if one.relation.name == name for feature in one.beyond} - drifted
    findings = [
        *_counted(len(alerts), "open alert"),
        *_counted(len(now), "anomaly", "anomalies"),
        *_counted(len(drifted), "drifted feature"),
        *_counted(
            len(beyond),
            "feature beyond a threshold for the first time",
            "features beyond a threshold for the first time",
        ),
    ]
    if quality.window_at is None:
        return Light("relation", name, "error" if findings else "unknown", [*findings, "no complete window yet"])
    if quality.filled_at:
        findings.append(f"no rows after {window_label(quality.filled_at, quality.relation.every)}")
    is_error = any(row["severity"] == "error" for row in [*alerts, *now])
    return Light("relation", name, "error" if is_error else "warning" if findings else "good", findings)


def _of_model(
    monitoring: Monitoring, model: str, versions: list[VersionQuality], consistencies: list[Consistency]
) -> Light:
    alerts = _open_alerts(monitoring, model)
    of = [version for version in versions if version.model == model]
    serving = [version for version in of if version.is_champion] or of[:1]
    degraded = [metric for version in serving for metric in version.metrics if metric.is_degraded]
    slices = [metric for version in serving for metric in version.slices if metric.is_degraded]
    differing = [
        row
        for one in consistencies
        if one.model == model
        for row in one.differing
        if row["window_at"] == one.windows[-1]
    ]
    findings = [
        *_counted(len(alerts), "open alert"),
        *(f"{metric.name} is degraded" for metric in degraded),
        *_counted(len(slices), "degraded metric of slices", "degraded metrics of slices"),
        *_counted(len(differing), "feature served inconsistently", "features served inconsistently"),
    ]
    if not of:
        return Light("model", model, "error" if alerts else "unknown", [*findings, "no quality measured in production"])
    is_error = bool(degraded or differing) or any(alert["severity"] == "error" for alert in alerts)
    return Light("model", model, "error" if is_error else "warning" if findings else "good", findings)


def _open_alerts(monitoring: Monitoring, name: str) -> list[Row]:
    """The alerts that are not resolved and that are about a relation or model."""
    return [alert for alert in monitoring.alerts if alert["status"] != "resolved" and is_about(alert, name)]


def _counted(count: int, one: str, many: str | None = None) -> list[str]:
    return [] if not count else [f"{count} {one if count == 1 else many or one + 's'}"]
