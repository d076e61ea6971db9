"""A broken contract stops `dbt run` with model, column and rule, overwrites nothing, and the last release stays."""

import csv
import itertools
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from serving.releases.release import Release
from tests.conftest import REPOSITORY, Project, messages

Rows = list[list[str]]

FLIGHTS = "models/staging/flights.sql"
WEATHER = "models/staging/weather.sql"
ROUTES = "models/features/route_activity_v1.sql"
DATASET = "models/datasets/flight_delay_dataset.sql"

# What is edited in the SQL: file, old text, new text, and what the message holds beside the model's name.
STAGING = {
    "dropped": (FLIGHTS, "        timed.distance,\n", "", ["distance", "missing in definition"]),
    "renamed": (FLIGHTS, "timed.distance,", "timed.distance as miles,", ["distance", "miles", "missing in contract"]),
    "retyped": (FLIGHTS, "timed.distance,", "timed.distance::varchar as distance,", ["distance", "type mismatch"]),
    "unknown": (FLIGHTS, "timed.distance,", "timed.miles as distance,", ["miles"]),
    "swapped numbers": (
        FLIGHTS,
        "timed.dep_delay, null) as departure_delay",
        "timed.arr_delay, null) as departure_delay",
        ["departure_delay", "check", "to_minutes(departure_delay)"],
    ),
    "swapped texts": (
        FLIGHTS,
        "timed.origin,\n        timed.dest,",
        "timed.dest as origin,\n        timed.origin as dest,",
        ["origin", "check"],
    ),
    "swapped times": (
        FLIGHTS,
        "timed.sched_dep_at,\n        timed.sched_arr_at,",
        "timed.sched_arr_at as sched_dep_at,\n        timed.sched_dep_at as sched_arr_at,",
        ["sched_dep_at", "sched_arr_at", "check"],
    ),
    "swapped weather": (
        WEATHER,
        "cast(temp as double) as temperature,\n        cast(humid as double) as humidity",
        "cast(humid as double) as temperature,\n        cast(temp as double) as humidity",
        ["humidity", "check", "BETWEEN 0 AND 100"],
    ),
    "null in a key": (FLIGHTS, "timed.flight_id,", "null::varchar as flight_id,", ["flight_id", "not null"]),
    "null": (FLIGHTS, "timed.carrier,", "nullif(timed.carrier, 'UA') as carrier,", ["carrier", "not null"]),
    "duplicates in a key": (
        FLIGHTS,
        "as clock\n",
        "as clock\n    cross join range(2)\n",
        ["flight_id", "primary key", "there twice"],
    ),
    "out of range": (FLIGHTS, "timed.distance,", "-timed.distance as distance,", ["distance", "check"]),
}

WINDOWS = (REPOSITORY / ROUTES).read_text().partition("\n\n")[2]


def _replacing(columns: str) -> tuple[str, str]:
    """The edit that puts other columns over what windows() gives."""
    return WINDOWS, f"select * replace ({columns}) from (\n{WINDOWS}) as computed\n"


FEATURES = {
    "dropped": (
        "        'route_landings': 'count(*) over 7 days',\n",
        "",
        ["route_landings", "missing in definition"],
    ),
    "renamed": ("'route_landings'", "'landings'", ["route_landings", "landings", "missing in contract"]),
    "retyped": (*_replacing("route_landings::int as route_landings"), ["route_landings", "type mismatch"]),
    "swapped numbers": (
        *_replacing(
            "route_share_arrived_late as route_mean_arrival_delay, route_mean_arrival_delay as route_share_arrived_late"
        ),
        ["route_share_arrived_late", "check", "BETWEEN 0 AND 1"],
    ),
    "swapped keys": (*_replacing("dest as origin, origin as dest"), ["origin", "check"]),
    "null in a key": (*_replacing("nullif(dest, 'MIA') as dest"), ["dest", "not null"]),
    "duplicates in a key": (
        *_replacing("first(dest) over (partition by origin order by dest) as dest"),
        ["origin, dest, event_at, known_at", "primary key", "there twice"],
    ),
    "out of range": (*_replacing("-route_landings as route_landings"), ["route_landings", "check"]),
    "known before it happened": (
        *_replacing("known_at - interval 1 day as known_at"),
        ["known_at", "event_at", "check"],
    ),
}

DATASETS = {
    "retyped": ("        distance,\n", "        distance::bigint as distance,\n", ["distance", "type mismatch"]),
    "null": ("        distance,\n", "        null::integer as distance,\n", ["distance", "not null"]),
}


def _set(column: str, value: str) -> Callable[[Rows], None]:
    def edit(rows: Rows) -> None:
        rows[5][rows[0].index(column)] = value

    return edit


def _rename(column: str, name: str) -> Callable[[Rows], None]:
    def edit(rows: Rows) -> None:
        rows[0][rows[0].index(column)] = name

    return edit


def _drop(column: str) -> Callable[[Rows], None]:
    def edit(rows: Rows) -> None:
        place = rows[0].index(column)
        for row in rows:
            del row[place]

    return edit


def _swap(one: str, other: str) -> Callable[[Rows], None]:
    def edit(rows: Rows) -> None:
        here, there = rows[0].index(one), rows[0].index(other)
        for row in rows[1:]:
            row[here], row[there] = row[there], row[here]

    return edit


def _repeat(rows: Rows) -> None:
    rows.append(rows[5])


def _second_clock(rows: Rows) -> None:
    rows.append(["2013-12-30T12:00:00Z", "true"])


def _no_rows(rows: Rows) -> None:
    del rows[1:]


# What the producer of a file does: file, edit, the model that stops, and what the message holds.
RAW = {
    "dropped": ("flights", _drop("dep_delay"), "flights", ["dep_delay", "raw.flights: missing"]),
    "renamed": ("flights", _rename("distance", "miles"), "flights", ["distance", "raw.flights: missing"]),
    "text in a number": ("flights", _set("distance", "far"), "flights", ["distance", "is VARCHAR", "has BIGINT"]),
    "text in a number with no cast": ("flights", _set("minute", "late"), "flights", ["minute", "is VARCHAR"]),
    "text in a time": ("weather", _set("time_hour", "noon"), "weather", ["time_hour", "is VARCHAR"]),
    "decimals in a key": ("flights", _set("flight", "1.5"), "flights", ["flight_id", "flight", "check"]),
    "swapped delays": ("flights", _swap("dep_delay", "arr_delay"), "flights", ["arrival_delay", "check"]),
    "swapped clocks": ("flights", _swap("hour", "minute"), "flights", ["sched_dep_at", "check"]),
    "swapped places": ("flights", _swap("origin", "dest"), "flights", ["origin", "check"]),
    "swapped so that no row is left": ("flights", _swap("tailnum", "dest"), "flights", ["dest", "count(*) > 0"]),
    "swapped weather": ("weather", _swap("visib", "wind_speed"), "weather", ["visibility", "check"]),
    "swapped airports": ("airports", _swap("faa", "tzone"), "airports", ["airport", "check"]),
    "null in a key": ("flights", _set("carrier", "NA"), "flights", ["flight_id", "not null"]),
    "null in a key of two": ("weather", _set("origin", "NA"), "weather", ["origin", "not null"]),
    "duplicates": ("flights", _repeat, "flights", ["flight_id", "primary key"]),
    "duplicates in a key of two": ("weather", _repeat, "weather", ["origin, observed_at", "primary key"]),
    "duplicate airport": ("airports", _repeat, "airports", ["airport", "primary key"]),
    "out of range": ("weather", _set("humid", "101"), "weather", ["humidity", "check", "BETWEEN 0 AND 100"]),
    "two clocks": ("clock", _second_clock, "clock", ["as_of", "count(*) = 1"]),
    "no clock": ("clock", _no_rows, "clock", ["as_of", "count(*) = 1"]),
}


def _edit(project: Project, file: str, old: str, new: str) -> None:
    path = project.folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def _edit_raw(project: Project, name: str, edit: Callable[[Rows], None]) -> None:
    path = project.home / "raw" / f"{name}.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    edit(rows)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def _content(project: Project) -> dict[str, tuple]:
    """What every table of the warehouse holds, and its comment."""
    tables = project.query("select schema_name || '.' || table_name, comment from duckdb_tables()")
    return {
        table: (comment, *project.query(f"select count(*), sum(hash(t) // 65536) from {table} as t"))
        for table, comment in tables
    }


def _stops(project: Project, capfd: pytest.CaptureFixture[str], *selection: str) -> str:
    """Run, and say what dbt printed. Nothing in the warehouse may change, and the release stays and loads."""
    before, current = _content(project), (project.home / "releases" / "current").read_text()
    capfd.readouterr()
    said = messages(project.dbt("run", *selection, succeeds=False)) + capfd.readouterr().out
    assert _content(project) == before
    assert (project.home / "releases" / "current").read_text() == current
    assert Release(project.home / "releases" / current.strip()).name == current.strip()
    return said


def _forget(project: Project) -> None:
    """Take route_activity out of the registry, so that nothing but its contract guards its version 1."""
    project.write("delete from registry.feature_views where view = 'route_activity'")


@pytest.mark.parametrize("case", STAGING)
def test_sql_of_staging(project: Project, capfd: pytest.CaptureFixture[str], case: str) -> None:
    file, old, new, expected = STAGING[case]
    _edit(project, file, old, new)
    said = _stops(project, capfd, "-s", f"{Path(file).stem}+")
    for text in [f"in model {Path(file).stem} ", *expected]:
        assert text in said


@pytest.mark.parametrize("case", FEATURES)
def test_sql_of_a_registered_view(project: Project, capfd: pytest.CaptureFixture[str], case: str) -> None:
    old, new, expected = FEATURES[case]
    _edit(project, ROUTES, old, new)
    said = _stops(project, capfd, "-s", "route_activity+")
    changed = said.split("feature view route_activity version 1: its meaning has changed (breaking): ")[1].split(".")[0]
    assert f"column {expected[0].split(', ')[0]} " in changed or "column dest changed" in changed


@pytest.mark.parametrize("case", FEATURES)
def test_sql_of_a_new_view(project: Project, capfd: pytest.CaptureFixture[str], case: str) -> None:
    old, new, expected = FEATURES[case]
    _forget(project)
    _edit(project, ROUTES, old, new)
    said = _stops(project, capfd, "-s", "route_activity+")
    for text in ["in model route_activity ", *expected]:
        assert text in said


@pytest.mark.parametrize("case", DATASETS)
def test_sql_of_a_dataset(project: Project, capfd: pytest.CaptureFixture[str], case: str) -> None:
    old, new, expected = DATASETS[case]
    _edit(project, DATASET, old, new)
    said = _stops(project, capfd, "-s", "flight_delay_dataset+")
    for text in ["in model flight_delay_dataset ", *expected]:
        assert text in said


@pytest.mark.parametrize("case", RAW)
def test_raw_files(project: Project, capfd: pytest.CaptureFixture[str], case: str) -> None:
    name, edit, model, expected = RAW[case]
    _edit_raw(project, name, edit)
    said = _stops(project, capfd, "-s", f"staging.{model}+")
    for text in [f"in model {model} ", f"staging.{model}", *expected]:
        assert text in said


def test_a_first_version_that_breaks_its_contract_leaves_no_table(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    _forget(project)
    project.write("drop table features.route_activity_v1")
    _edit(project, ROUTES, *_replacing("-route_landings as route_landings"))
    assert "features.route_activity_v1 was not built" in _stops(project, capfd)


@pytest.mark.parametrize("table", ["flights", "weather", "airports"])
def test_no_two_columns_of_staging_can_be_swapped(built: Project, table: str) -> None:
    """The constraints of the table refuse its own rows with any two columns of one type swapped."""
    assert _unnoticed_swaps(built, "staging", table) == []


@pytest.mark.parametrize(
    ("table", "unnoticed"),
    [
        ("carrier_activity_v1", []),
        # Two means of one origin's delays: nothing but the SQL tells them apart. Once registered, it is kept.
        ("origin_activity_v1", [("origin_mean_departure_delay", "origin_mean_departure_delay_last_hour")]),
        ("origin_weather_v1", []),
        ("plane_activity_v1", []),
        ("plane_activity_v2", []),
        ("route_activity_v1", []),
    ],
)
def test_which_columns_of_views_can_be_swapped(built: Project, table: str, unnoticed: list[tuple]) -> None:
    assert _unnoticed_swaps(built, "features", table) == unnoticed


def _unnoticed_swaps(project: Project, schema: str, table: str) -> list[tuple]:
    """The pairs of columns of one type, with different values, that the table's constraints let swap."""
    unnoticed = []
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{project.database}' as warehouse (read_only)")
        connection.execute(f"create schema {schema}")
        source = f"warehouse.{schema}.{table}"
        ddl = connection.execute(
            "select sql from duckdb_tables() where database_name = 'warehouse' and schema_name = ? and table_name = ?",
            [schema, table],
        ).fetchall()[0][0]
        columns = connection.execute(f"describe {source}").fetchall()
        for one, other in itertools.combinations(columns, 2):
            differ = f"select count(*) from {source} where {one[0]} is distinct from {other[0]}"
            if one[1] != other[1] or connection.execute(differ).fetchall() == [(0,)]:
                continue
            connection.execute(f"create or replace table {schema}.{table} {ddl[ddl.index('(') :]}")
            swapped = {one[0]: other[0], other[0]: one[0]}
            names = ", ".join(swapped.get(column[0], column[0]) for column in columns)
            try:
                connection.execute(f"insert into {schema}.{table} select {names} from {source}")
                unnoticed.append((one[0], other[0]))
            except duckdb.ConstraintException:
                pass
    return unnoticed
