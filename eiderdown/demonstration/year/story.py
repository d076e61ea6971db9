"""What the year's warehouse has to tell: of each month its predictions, alerts and decisions, and what training again was worth."""

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
            "select rule, severity, subject, text, opened_at from monitoring.alerts where opened_at >= ? and opened_at < ? "
            "order by opened_at, severity, subject",
            [start, end],
        ).fetchall()
        decisions = connection.execute(
            "select text from monitoring.retraining where model = 'flight_delay' and as_of = ? and decision = 'retrain'", [end]
        ).fetchall()
    return Month(start, served[0], served[1] or [], auc, [Alert(*row) for row in alerts], decisions[0][0] if decisions else "")


def names(alert: Alert, incident: Incident) -> bool:
    """Whether an alert says what is wrong in an incident."""
    return incident.feature in alert.subject and any(kind in alert.subject + alert.text for kind in incident.kinds)
