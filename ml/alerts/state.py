"""Where alerts stand, without the warehouse: what the last run left, and what has happened since."""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import duckdb

from ml import files
from ml.alerts.declaration import parse_alerts
from ml.errors import DeclarationError
from ml.events import read_events, user, write_event

BUILD = {"is_success": bool, "text": str}
ACKNOWLEDGEMENT = {"alert": str, "acknowledged_by": str}

Alert = dict[str, Any]


@dataclass(frozen=True)
class Alerts:
    """Alerts as rows of monitoring.alerts, times as text: all that are not resolved, and those that were resolved last.

    deliver: where to, as `parse_alerts` gives it. as_of: where the clock stood in the last run; None before the first.
    """

    alerts: list[Alert]
    deliver: list[dict[str, Any]]
    as_of: str | None

    def find(self, name: str) -> Alert:
        """An alert by its name, or the beginning of it. Raises DeclarationError where none or more than one begins so."""
        found = [alert for alert in self.alerts if alert["alert"].startswith(name)]
        if len(found) != 1 or not name:
            said = f"{len(found)} alerts begin with" if found and name else "there is no alert"
            raise DeclarationError(f"{said} '{name}'; `eiderdown alerts list --all` names them.")
        return found[0]


def read_alerts() -> Alerts:
    """What the last run left in `alerts/alerts.json`, with builds that failed and acknowledgements that no run has read yet."""
    path = files.home() / "alerts" / "alerts.json"
    if path.is_file():
        kept = json.loads(path.read_text())
        rules, deliver, alerts, as_of = kept["build_rules"], kept["deliver"], kept["alerts"], kept["as_of"]
    else:
        rules, deliver = parse_alerts("alerts", {}, {"builds": {}})
        alerts, as_of = [], None
    known = {alert["alert"]: alert for alert in alerts}
    if builds := read_events("builds", BUILD):
        for rule in rules:
            _add_builds(known, rule, builds, as_of)
    for event in reversed(read_events("acknowledgements", ACKNOWLEDGEMENT)):
        alert = known.get(event["alert"])
        if alert is not None:
            alert["acknowledged_at"] = event["logged_at"].isoformat()
            alert["acknowledged_by"], alert["note"] = event["acknowledged_by"], event.get("note")
            alert["status"] = "resolved" if alert["resolved_at"] else "acknowledged"
    return Alerts(sorted(known.values(), key=lambda alert: (alert["opened_at"], alert["alert"])), deliver, as_of)


def acknowledge(name: str, by: str | None = None, note: str | None = None) -> Alert:
    """Say that somebody has seen an alert: an event, which the next run folds in. Returns the alert.

    Raises DeclarationError where there is no such alert, or it is resolved or acknowledged already.
    """
    alert = read_alerts().find(name)
    if alert["status"] != "open":
        by_whom = f" by {alert['acknowledged_by']}" if alert["status"] == "acknowledged" else ""
        raise DeclarationError(f"the alert {alert['alert']} is {alert['status']}{by_whom} already.")
    write_event("acknowledgements", {"alert": alert["alert"], "acknowledged_by": by or user(), "note": note})
    return read_alerts().find(alert["alert"])


def _add_builds(known: dict[str, Alert], rule: dict[str, Any], builds: list[dict[str, Any]], as_of: str | None) -> None:
    """What a rule on builds says of the builds since the last run, as macros/monitoring/alert_life.sql will."""
    streaks: dict[str, list[tuple[dt.datetime, str]]] = {}
    for logged_at, holds, subject, text in _judge(rule, builds, as_of):
        if holds:
            streaks.setdefault(subject, []).append((logged_at, text))
            continue
        for ended, streak in streaks.items():
            _add(known, rule, ended, streak, logged_at)
        streaks.clear()
    for subject, streak in streaks.items():
        _add(known, rule, subject, streak, None)


def _judge(
    rule: dict[str, Any], builds: list[dict[str, Any]], as_of: str | None
) -> list[tuple[dt.datetime, bool, str, str]]:
    """(when, whether the rule holds, subject, text) of each build."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            "create table builds (event_id varchar, logged_at timestamptz, is_success boolean, selection varchar[], text varchar)"
        )
        rows = [
            (event["event_id"], event["logged_at"], event["is_success"], event.get("selection"), event["text"])
            for event in builds
        ]
        connection.executemany("insert into builds values (?, ?, ?, ?, ?)", rows)
        return connection.execute(
            f"select logged_at, coalesce((\n{rule['where']}\n)::boolean, false), (\n{rule['subject']}\n)::varchar, "
            f"(\n{rule['text']}\n)::varchar from builds as found "
            "cross join (select coalesce(?::timestamptz, now()) as as_of) as clock order by logged_at",
            [as_of],
        ).fetchall()


def _add(
    known: dict[str, Alert],
    rule: dict[str, Any],
    subject: str,
    streak: list[tuple[dt.datetime, str]],
    resolved_at: dt.datetime | None,
) -> None:
    if len(streak) < rule["for_windows"]:
        return
    opened_at, (last_seen_at, text) = streak[rule["for_windows"] - 1][0], streak[-1]
    name = _name(rule["name"], subject, opened_at)
    kept = known.get(name)
    known[name] = {
        **(kept or {"acknowledged_at": None, "acknowledged_by": None, "note": None, "evidence": []}),
        "alert": name,
        "rule": rule["name"],
        "severity": rule["severity"],
        "subject": subject,
        "text": text,
        "opened_at": opened_at.isoformat(),
        "last_seen_at": last_seen_at.isoformat(),
        "resolved_at": resolved_at.isoformat() if resolved_at else None,
        "status": "resolved" if resolved_at else kept["status"] if kept else "open",
    }


def _name(rule: str, subject: str, opened_at: dt.datetime) -> str:
    microseconds = (opened_at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    return hashlib.md5(f"{rule}\x1f{subject}\x1f{microseconds}".encode(), usedforsecurity=False).hexdigest()
