"""The page: sections into one HTML file that needs nothing beside it."""

from collections.abc import Sequence
from typing import Any

import jinja2

from ml.reports import svg, words
from ml.reports.drift import drift
from ml.reports.labels import LabelSection
from ml.reports.performance import consistency, performance
from ml.reports.quality import data_quality
from ml.reports.rows import Monitoring
from ml.reports.summary import Light, summary

_RESOLVED = 30
_DECISIONS = 24


def render(monitoring: Monitoring, tasks: Sequence[LabelSection] = ()) -> tuple[str, list[Light]]:
    """The report as HTML, and the lights of its summary. tasks: label tasks, which have a section where there are any.

    All that comes from data is escaped by the templates, which only the pictures (ml/reports/svg.py) get round.
    """
    quality, comparisons = data_quality(monitoring), drift(monitoring)
    versions, consistencies = performance(monitoring), consistency(monitoring)
    lights = summary(monitoring, quality, comparisons, versions, consistencies)
    standing = [alert for alert in monitoring.alerts if alert["status"] != "resolved"]
    resolved = [alert for alert in monitoring.alerts if alert["status"] == "resolved"]
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            monitoring=monitoring,
            lights=lights,
            standing=sorted(standing, key=lambda alert: (alert["status"] != "open", alert["severity"])),
            resolved=resolved[:_RESOLVED],
            resolved_left_out=max(0, len(resolved) - _RESOLVED),
            quality=quality,
            comparisons=comparisons,
            versions=versions,
            consistencies=consistencies,
            retraining=monitoring.retraining[:_DECISIONS],
            tasks=tasks,
        )
    )
    return page, lights


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ml.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = (words.number, words.percent, words.probability, words.moment, words.name, words.sentence)
    filters: dict[str, Any] = {one.__name__: one for one in shown}
    environment.filters.update(filters)
    environment.globals["svg"] = svg
    environment.globals["window_label"] = words.window_label
    environment.globals["value_of"] = words.value_of
    return environment
