"""Rows that were pushed to feature views: each view's table is what its SQL gives, and they, whatever comes when."""

import datetime as dt
from typing import Any

import pytest

from tests import events
from tests.conftest import Project, copy_machines

READINGS = """
select machine_id, read_at, temperature
from read_csv('{{ eiderdown.home() }}/raw/readings.csv',
    columns = {machine_id: 'bigint', read_at: 'timestamptz', temperature: 'double'})
where read_at <= (select as_of from {{ ref('clock') }})
"""
CLOCK = "select as_of, true as replay from read_csv('{{ eiderdown.home() }}/raw/clock.csv', columns = {as_of: 'timestamptz'})"
PLAIN = (
    "select machine_id, read_at as event_at, read_at as known_at, temperature, cast(null as decimal(10, 2)) as price, "
    "[temperature] as history from {{ ref('readings') }}"
)
WINDOWS = """{{ eiderdown.windows(
    ref('readings'), entity=['machine_id'], event_at='read_at', features={'hot_2h': 'max(temperature) over 2 hours'}
) }}"""
YAML = """
models:
  - name: plain
    config: {meta: {feature_view: {entity: [machine_id], ttl: 1 day}}}
    constraints: [{type: primary_key, columns: [machine_id, event_at, known_at]}]
    columns:
      - {name: machine_id, data_type: bigint}
      - {name: event_at, data_type: timestamptz}
      - {name: known_at, data_type: timestamptz, constraints: [{type: check, expression: known_at >= event_at}]}
      - {name: temperature, data_type: double, constraints: [{type: not_null}]}
      - {name: price, data_type: "decimal(10, 2)", constraints: [{type: check, expression: "price > 0"}]}
      - {name: history, data_type: "double[]"}
    versions: [{v: 1}]
  - name: rolling
    config: {meta: {feature_view: {entity: [machine_id], ttl: 1 day}}}
    constraints: [{type: primary_key, columns: [machine_id, event_at, known_at]}]
    columns:
      - {name: machine_id, data_type: bigint}
      - {name: event_at, data_type: timestamptz}
      - {name: known_at, data_type: timestamptz}
      - {name: hot_2h, data_type: double}
    versions: [{v: 1}]
"""
NOON = dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC)
Row = dict[str, Any]


def _hour(hours: float) -> str:
    return (NOON + dt.timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_machines(tmp_path_factory.mktemp("pushed") / "machines")
    models = project.folder / "models"
    (models / "staging" / "readings.sql").write_text(READINGS)
    (models / "staging" / "clock.sql").write_text(CLOCK)
    (models / "features" / "plain_v1.sql").write_text(PLAIN)
    (models / "features" / "rolling_v1.sql").write_text(WINDOWS)
    (models / "features" / "more.yml").write_text(YAML)
    (project.home / "raw").mkdir(parents=True)
    project.dbt("deps")
    return project


class World:
    """Readings, pushes and a clock, and what the two views must hold, by brute force."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.writer = events.EventWriter(project.home, seed=3)
        self.readings: dict[tuple[int, float], float] = {}
        self.pushed: dict[str, list[Row]] = {"plain": [], "rolling": []}
        self.as_of = 0.0

    def push(self, view: str, machine: int, hour: float, known: float, **features: Any) -> None:
        row = {"machine_id": machine, "event_at": _hour(hour), "known_at": _hour(known), **features}
        self.writer.push(sum(map(len, self.pushed.values())), view, row)
        self.pushed[view].append(row)

    def build(self, *arguments: str) -> None:
        raw = self.project.home / "raw"
        lines = [f"{machine},{_hour(hour)},{value}" for (machine, hour), value in self.readings.items()]
        (raw / "readings.csv").write_text("\n".join(["machine_id,read_at,temperature", *lines]) + "\n")
        (raw / "clock.csv").write_text(f"as_of\n{_hour(self.as_of)}\n")
        self.project.dbt("run", "-s", "staging", "plain", "rolling", *arguments)

    def assert_tables(self) -> None:
        seen = {key: value for key, value in self.readings.items() if key[1] <= self.as_of}
        own = {"plain": {}, "rolling": {}}  # type: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]
        for (machine, hour), value in seen.items():
            key = (machine, _hour(hour), _hour(hour))
            own["plain"][key] = (value, None, [value])
            own["rolling"][key] = (
                max(other for (by, at), other in seen.items() if by == machine and hour - 2 <= at <= hour),
            )
        for view, rows in own.items():
            for row in self.pushed[view]:
                key, features = tuple(row.values())[:3], tuple(row.values())[3:]
                if key[2] <= _hour(self.as_of):
                    rows.setdefault(key, features)
            found = self.project.query(f"from features.{view}_v1")
            in_utc = {
                (row[0], *(moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z") for moment in row[1:3])): tuple(
                    f"{value:f}" if hasattr(value, "as_tuple") else value for value in row[3:]
                )
                for row in found
            }
            assert in_utc == rows
            assert len(found) == len(rows)

    def row_ids(self) -> list[tuple[Any, ...]]:
        return self.project.query("select rowid, * from features.rolling_v1 order by all")


def test_tables_hold_what_sql_gives_and_what_was_pushed(project: Project) -> None:
    world = World(project)
    world.readings = {(machine, float(hour)): machine + hour / 10 for machine in (1, 2) for hour in range(-12, 12, 2)}
    world.build()
    world.assert_tables()
    fingerprints = (
        "select table_name, comment ->> '$.fingerprint' from duckdb_tables() where schema_name = 'features' order by 1"
    )
    before = project.query(fingerprints)

    world.push("plain", 9007199254740993, -1, -1, temperature=1.5, price="12.30", history=[0.1, None])
    world.push("plain", 1, -2, -2, temperature=99.0, price=None, history=None)  # The view has a row of this key.
    world.push("plain", 1, -3, 1, temperature=98.0, price=None, history=[])  # Known after the clock.
    world.push("rolling", 1, -2, -1, hot_2h=50.0)
    world.push("rolling", 1, -1, -1, hot_2h=51.0)
    world.push("rolling", 1, -1, -0.5, hot_2h=52.0)
    world.push("rolling", 2, 0.5, 0.5, hot_2h=53.0)
    world.push("rolling", 7, -1, -1, hot_2h=54.0)
    broken = (
        {"temperature": "warm"},
        {"temperature": None},
        {"temperature": 1.0, "price": "-1.00"},
        {"temperature": 1.0, "history": [1, "x"]},
        {"temperature": 1.0, "known_at": _hour(-5)},
        {"temperature": 1.0, "event_at": "yesterday"},
        {"temperature": 1.0, "machine_id": None},
    )
    for change in broken:
        world.writer.push(100, "plain", {"machine_id": 1, "event_at": _hour(-4.5), "known_at": _hour(-4.5)} | change)
    world.build()
    world.assert_tables()

    # Nothing new, then read into the table, and without the files.
    rows = world.row_ids()
    world.build("pushed_rows")
    assert world.row_ids() == rows
    problems = project.query("select problem from monitoring.pushed_rows where problem is not null order by logged_at")
    assert sorted(problem for (problem,) in problems) == [
        "breaks the check known_at >= event_at",
        "breaks the check price > 0",
        "event_at: is no timestamptz",
        "history: is no double[]",
        "machine_id: is null",
        "temperature: is no double",
        "temperature: is null",
    ]
    for path in (project.home / "events" / "pushes").glob("2024*"):
        path.unlink()

    # Late, corrected and deleted readings around what was pushed; one has a pushed row's key, and one loses it.
    world.as_of = 1.0
    world.readings[1, -1.0] = 7.0
    world.readings[1, -2.0] = 77.0
    del world.readings[2, -4.0]
    world.push("rolling", 2, -4, -4, hot_2h=55.0)
    world.build()
    world.assert_tables()
    del world.readings[1, -1.0]
    world.build()
    world.assert_tables()
    assert project.query(fingerprints) == before

    # The clock is put back: what was not known then has to go.
    world.as_of = -3.0
    world.build()
    world.assert_tables()
