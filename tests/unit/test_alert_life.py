"""The life of alerts, against a loop that goes from window to window."""

import datetime as dt
import json
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.alerts.declaration import parse_alerts
from tests.rendered import package

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
RECORDED = (
    "alert varchar, rule varchar, severity varchar, subject varchar, text varchar, evidence json, status varchar, "
    "opened_at timestamptz, last_seen_at timestamptz, acknowledged_at timestamptz, acknowledged_by varchar, note varchar, "
    "resolved_at timestamptz"
)
SUBJECTS = ("a", "b")
Alert = tuple[str, dt.datetime, dt.datetime, dt.datetime | None]


class Monitored:
    """Tables of monitoring made up by hand, and the alerts that follow from them."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self._rules, _ = parse_alerts("alerts", {"rules": list(rules)})
        self.connection = duckdb.connect()
        self.connection.execute("set TimeZone = 'UTC'")
        self.connection.execute(
            "create table drift (relation varchar, window_at timestamptz, feature varchar, value double, is_drifted boolean);"
            "create table event_files (kind varchar, file varchar, torn_count bigint);"
            "create table builds (logged_at timestamptz, is_success boolean, text varchar);"
            "create table clock (as_of timestamptz);"
            "create table acknowledgements (alert varchar, logged_at timestamptz, acknowledged_by varchar, note varchar);"
            f"create table alerts ({RECORDED})"
        )
        self._macros = package("monitoring/alert_life", "monitoring/monitored", "features/fingerprint")

    def add_window(self, day: int, holds: dict[str, bool]) -> None:
        rows = [("orders", START + day * DAY, feature, 0.5, is_drifted) for feature, is_drifted in holds.items()]
        self.connection.executemany("insert into drift values (?, ?, ?, ?, ?)", rows)

    def run(self, as_of: dt.datetime) -> list[tuple[Any, ...]]:
        """A run of the model, as the materialization registered writes it. Returns the table."""
        self.connection.execute("delete from clock")
        self.connection.execute("insert into clock values (?)", [as_of])
        names = ("drift", "event_files", "builds")
        query = self._macros.alert_life(
            self._rules, {name: name for name in names}, {"orders": "day"}, "clock", "alerts", "acknowledgements"
        )
        self.connection.execute(f"create or replace temporary table new_rows as {query}")
        twice = self.connection.execute("select alert from new_rows group by alert having count(*) > 1").fetchall()
        assert not twice
        moved = self.connection.execute(
            "select alert from new_rows as new inner join alerts using (alert) "
            "where (new.rule, new.subject, new.opened_at) is distinct from (alerts.rule, alerts.subject, alerts.opened_at)"
        ).fetchall()
        assert not moved
        self.connection.execute("delete from alerts where alert in (select alert from new_rows)")
        self.connection.execute("insert into alerts by name select * from new_rows")
        return self.connection.execute("select * from alerts order by subject, opened_at").fetchall()

    def lives(self) -> list[Alert]:
        return self.connection.execute(
            "select subject, opened_at, last_seen_at, resolved_at from alerts order by subject, opened_at"
        ).fetchall()


def loop(windows: list[dict[str, bool]], for_windows: int) -> list[Alert]:
    """From window to window: what opens, goes on and ends."""
    alerts: list[Alert] = []
    for subject in SUBJECTS:
        streak, opened = 0, None
        for day, holds in enumerate(windows):
            end = START + (day + 1) * DAY
            if holds.get(subject, False):
                streak += 1
                if streak == for_windows:
                    opened = end
                continue
            if opened is not None:
                alerts.append((subject, opened, end - DAY, end))
            streak, opened = 0, None
        if opened is not None:
            alerts.append((subject, opened, START + len(windows) * DAY, None))
    return sorted(alerts, key=lambda alert: alert[:2])


DRIFT = {"name": "drift", "table": "drift", "where": "is_drifted", "subject": "feature", "text": "'value ' || value"}


@settings(max_examples=15)
@given(
    st.lists(st.fixed_dictionaries({name: st.booleans() for name in SUBJECTS}), min_size=1, max_size=8),
    st.integers(1, 3),
    st.sets(st.integers(1, 7)),
)
def test_alerts_are_those_of_a_loop_whenever_they_are_run(
    windows: list[dict[str, bool]], for_windows: int, runs: set[int]
) -> None:
    """And a second run, or one that is late, changes nothing."""
    monitored = Monitored({**DRIFT, "for_windows": for_windows})
    for day, holds in enumerate(windows):
        monitored.add_window(day, holds)
        if day in runs:
            monitored.run(START + (day + 1) * DAY)
            assert monitored.lives() == loop(windows[: day + 1], for_windows)
    table = monitored.run(START + len(windows) * DAY)
    assert monitored.lives() == loop(windows, for_windows)
    assert monitored.run(START + (len(windows) + 0.5) * DAY) == table


def test_a_window_that_is_not_complete_is_not_judged() -> None:
    monitored = Monitored(DRIFT)
    monitored.add_window(0, {"a": True})
    assert monitored.run(START + 0.9 * DAY) == []


def test_rows_after_the_clock_are_one_alert_as_long_as_they_are_there() -> None:
    """And windows before it neither end it nor are ended by it."""
    monitored = Monitored(DRIFT)
    monitored.add_window(0, {"a": True, "b": False})
    for day in (3650, 3660):
        monitored.add_window(day, {"a": False, "b": True})
    monitored.run(START + DAY)
    monitored.add_window(1, {"a": True, "b": False})
    monitored.run(START + 2 * DAY)
    assert monitored.lives() == [("a", START + DAY, START + 2 * DAY, None), ("b", START + DAY, START + 2 * DAY, None)]
    monitored.connection.execute("delete from drift where window_at > ?", [START + 9 * DAY])
    monitored.run(START + 3 * DAY)
    assert monitored.lives() == [
        ("a", START + DAY, START + 2 * DAY, None),
        ("b", START + DAY, START + 2 * DAY, START + 3 * DAY),
    ]


def test_rows_of_one_subject_and_window_are_one_alert() -> None:
    monitored = Monitored({**DRIFT, "subject": "relation"})
    monitored.add_window(0, {"a": True, "b": True})
    [alert] = monitored.run(START + DAY)
    assert (alert[3], alert[4], len(json.loads(alert[5]))) == ("orders", "value 0.5", 2)


def test_windows_that_are_computed_anew_keep_the_alert_or_withdraw_it() -> None:
    monitored = Monitored(DRIFT)
    for day in range(3):
        monitored.add_window(day, {"a": day != 1, "b": day == 2})
    first, second, other = monitored.run(START + 3 * DAY)
    monitored.connection.execute("update drift set is_drifted = feature = 'a'")
    kept, merged, withdrawn = monitored.run(START + 4 * DAY)
    assert [kept[0], merged[0], withdrawn[0]] == [first[0], second[0], other[0]]
    assert (kept[6], kept[7], kept[8]) == ("open", first[7], START + 3 * DAY)
    assert [alert[-1] for alert in (merged, withdrawn)] == [START + 4 * DAY] * 2
    # One that ended in between is two.
    monitored.connection.execute("update drift set is_drifted = false where window_at = ?", [START + DAY])
    again = monitored.run(START + 5 * DAY)
    assert again[0][0] == first[0]
    assert again[0][-1] == START + 2 * DAY
    assert monitored.run(START + 6 * DAY) == again


def test_an_acknowledged_alert_goes_on_and_is_resolved() -> None:
    monitored = Monitored(DRIFT)
    monitored.add_window(0, {"a": True})
    [alert] = monitored.run(START + DAY)
    event = "insert into acknowledgements values (?, ?, ?, ?)"
    for hour, who in ((2, "grace"), (1, "ada")):
        monitored.connection.execute(event, [alert[0], START + DAY + dt.timedelta(hours=hour), who, f"seen by {who}"])
    monitored.add_window(1, {"a": True})
    [alert] = monitored.run(START + 2 * DAY)
    assert alert[6] == "acknowledged"
    assert alert[9:12] == (START + DAY + dt.timedelta(hours=1), "ada", "seen by ada")
    monitored.add_window(2, {"a": False})
    [alert] = monitored.run(START + 3 * DAY)
    assert (alert[6], alert[10]) == ("resolved", "ada")


def test_what_has_no_windows_is_open_while_it_holds() -> None:
    monitored = Monitored({"name": "torn", "table": "event_files", "where": "torn_count > 0", "text": "file"})
    monitored.connection.execute("insert into event_files values ('feedback', 'x.jsonl', 2)")
    [first] = monitored.run(START)
    [second] = monitored.run(START + DAY)
    assert second[:8] == first[:8]
    assert second[8] == START + DAY
    monitored.connection.execute("update event_files set torn_count = 0")
    [third] = monitored.run(START + 2 * DAY)
    assert (third[0], third[6], third[-1]) == (first[0], "resolved", START + 2 * DAY)
    monitored.connection.execute("update event_files set torn_count = 1")
    assert [alert[6] for alert in monitored.run(START + 3 * DAY)] == ["resolved", "open"]


def test_failed_builds_are_one_alert_until_one_succeeds() -> None:
    monitored = Monitored({"name": "failed", "table": "builds", "where": "not is_success"})
    for minute, is_success in enumerate([False, False, True, False]):
        moment = START + dt.timedelta(minutes=minute)
        monitored.connection.execute("insert into builds values (?, ?, ?)", [moment, is_success, f"build {minute}"])
    # The clock of the data stands long before the builds.
    ended, failing = monitored.run(START - 365 * DAY)
    assert (ended[4], ended[6], ended[-1]) == ("build 1", "resolved", START + dt.timedelta(minutes=2))
    assert (failing[6], failing[7]) == ("open", START + dt.timedelta(minutes=3))


@pytest.mark.parametrize("rules", [[], [DRIFT]])
def test_without_rows_there_are_no_alerts(rules: list[dict[str, Any]]) -> None:
    """And the types are those of the table."""
    monitored = Monitored(*rules)
    assert monitored.run(START) == []
    described = "select column_name, column_type from (describe {}) order by all"
    types = [monitored.connection.execute(described.format(table)).fetchall() for table in ("new_rows", "alerts")]
    assert types[0] == types[1]
