"""What the year's warehouse has to tell: predictions, alerts and decisions of each month, and what training again was worth."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import duckdb

from eiderdown.demonstration.year.incidents import Incident


@dataclass(frozen=True)
class Alert:
    """An alert that was opened: of a rule, about a feature (or a relation's rows), with its kind of anomaly if it has one."""

    rule: str
    severity: str
    subject: str
    text: str
    opened_at: dt.datetime


@dataclass(frozen=True)
class Month:
    """What a month was like, as was known at its end."""

    start: dt.datetime
    predicted: int
    versions: list[int]
    auc: float | None
    alerts: list[Alert]
    decision: str


def tell(database: Path, start: dt.datetime, end: dt.datetime) -> Month:
    """A month, after the build whose clock stands at its end."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        served = connection.execute(
            "select count(*), list(distinct version order by version) from monitoring.flight_delay_served "
            "where predicted_at >= ? and predicted_at < ?",
            [start, end],
        ).fetchall()[0]
        auc = connection.execute(
            "select sum(value * outcome_count) / sum(outcome_count) from monitoring.model_performance where model = "
            "'flight_delay' and metric = 'auc' and basis = 'realised' and slice = 'all' and window_at >= ? and window_at < ?",
            [start, end],
        ).fetchall()[0][0]
        alerts = connection.execute(
            "select rule, severity, subject, text, opened_at from monitoring.alerts where opened_at > ? and opened_at <= ? "
            "order by opened_at, severity, subject",
            [start, end],
        ).fetchall()
        decisions = connection.execute(
            "select text from monitoring.retraining where model = 'flight_delay' and as_of = ? and decision = 'retrain'",
            [end],
        ).fetchall()
    return Month(
        start, served[0], served[1] or [], auc, [Alert(*row) for row in alerts], decisions[0][0] if decisions else ""
    )


@dataclass(frozen=True)
class Verdict:
    """Whether an incident was alarmed: by which alert in its month, and in which other months by one that says the same."""

    incident: str
    month: str
    alarm: str
    elsewhere: list[str]


def found(incident: Incident, months: list[Month]) -> Verdict:
    """Whether the alerts of a year name an incident, in its month and only there."""
    named = {month.start: [alert.text for alert in month.alerts if _names(alert, incident)] for month in months}
    elsewhere = [f"{start:%B}" for start, texts in named.items() if texts and start != incident.start]
    own = named.get(incident.start) or [""]
    return Verdict(incident.name, f"{incident.start:%B}", own[0], elsewhere)


def _names(alert: Alert, incident: Incident) -> bool:
    said = f"{alert.subject} {alert.text}"
    return alert.severity == "error" and incident.feature in said and any(kind in said for kind in incident.kinds)


@dataclass(frozen=True)
class Worth:
    """How much better the AUC of what was served is than that of the first version on the same flights, with its interval."""

    difference: float
    low: float
    high: float
    row_count: int

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.difference:+.4f} AUC ({self.low:+.4f} to {self.high:+.4f}) on {self.row_count:,} flights"


def worth(database: Path) -> Worth | None:
    """What training again was worth over the year; None where nothing was trained again."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            "select difference, low, high, row_count from monitoring.first_version where metric = 'auc' and months = 'all'"
        ).fetchall()
    return Worth(*rows[0]) if rows else None
