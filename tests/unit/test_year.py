"""The demonstration's year: what reaches the platform, in its order, and what goes wrong on purpose."""

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from eiderdown.demonstration.year.incidents import CARRIER_DISAPPEARS, FEED_STOPS, INCIDENTS, UNIT_CHANGES
from eiderdown.demonstration.year.story import Alert, Month, found
from eiderdown.demonstration.year.world import Hour, World

START, END = dt.datetime(2013, 6, 30, tzinfo=dt.UTC), dt.datetime(2013, 12, 1, tzinfo=dt.UTC)
WORLD = """
create schema registry;
create schema features;
create schema staging;
create table registry.feature_views as
    select
        'origin_weather' as view,
        'features.origin_weather_v1' as relation,
        true as online,
        'stored' as kind,
        'active' as status
    union all
    select 'weekday', 'features.weekday_v1', false, 'request', 'active';
create table features.origin_weather_v1 as
    select 'JFK' as origin, moment as event_at, moment + interval 1 hour as known_at, 20.5 as temperature
    from range(timestamptz '2013-06-01 00:00Z', timestamptz '2013-12-31 00:00Z', interval 7 hours) as times (moment);
create table staging.flights as
    select
        'f' || row_number() over () as flight_id,
        null :: varchar as tailnum,
        if(hour(moment) % 2 = 0, 'B6', 'AA') as carrier,
        1 as flight,
        'JFK' as origin,
        'FLL' as dest,
        moment as sched_dep_at,
        1000 as distance,
        if(hour(moment) = 3, null, moment + interval 3 hours) as arrived_at,
        if(hour(moment) = 3, null, hour(moment)) as arrival_delay
    from range(timestamptz '2013-06-01 00:00Z', timestamptz '2013-12-31 00:00Z', interval 5 hours) as times (moment);
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world") / "truth.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"set TimeZone = 'UTC'; {WORLD}")
    return path


def _between(database: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(query, {"start": START, "end": END}).fetchall()


def _known(hours: list[Hour]) -> list[str]:
    return [row["known_at"] for hour in hours for row in hour.pushes.get("origin_weather", [])]


def test_everything_comes_once_and_in_order(database: Path) -> None:
    hours = list(World(database, ()).hours(START, END))
    known = _known(hours)
    assert known == sorted(known)
    assert (
        len(known)
        == _between(
            database, "select count(*) from features.origin_weather_v1 where known_at >= $start and known_at < $end"
        )[0][0]
    )
    asked = [one for hour in hours for one in hour.asked]
    assert [flight for flight, _ in asked] == [
        flight
        for (flight,) in _between(
            database,
            "select flight_id from staging.flights where sched_dep_at - interval 2 hours >= $start "
            "and sched_dep_at - interval 2 hours < $end order by sched_dep_at",
        )
    ]
    assert all(instance["distance"] == 1000 for _, instance in asked)
    landed = [one for hour in hours for one in hour.landed]
    assert landed == _between(
        database,
        "select flight_id, arrival_delay >= 15, arrived_at from staging.flights where arrived_at >= $start "
        "and arrived_at < $end order by arrived_at",
    )
    for hour in hours:
        moments = [*_known([hour]), *(instance["predicted_at"] for _, instance in hour.asked)]
        parsed = [dt.datetime.fromisoformat(moment) for moment in moments] + [at for _, _, at in hour.landed]
        assert len({(moment - START) // dt.timedelta(hours=1) for moment in parsed}) == 1


def test_what_goes_wrong_goes_wrong_in_its_month_alone(database: Path) -> None:
    hours = list(World(database, INCIDENTS).hours(START, END))
    assert {moment[:7] for moment in _known(hours)} == {"2013-06", "2013-08", "2013-09", "2013-10", "2013-11"}
    asked = [instance for hour in hours for _, instance in hour.asked]
    assert {one["predicted_at"][:7] for one in asked if one["distance"] == 1609} == {"2013-09"}
    assert {one["distance"] for one in asked if one["predicted_at"].startswith("2013-09")} == {1609}
    assert "2013-11" not in {one["predicted_at"][:7] for one in asked if one["carrier"] == "B6"}
    assert "2013-11" in {one["predicted_at"][:7] for one in asked if one["carrier"] == "AA"}


def test_an_incident_is_found_where_an_error_names_it() -> None:
    def month(number: int, *texts: str, severity: str = "error") -> Month:
        start = dt.datetime(2013, number, 1, tzinfo=dt.UTC)
        alerts = [Alert("data_anomaly", severity, text.partition(" ")[0], text, start) for text in texts]
        return Month(start, 10, [1], 0.7, alerts, "")

    feed = "served.temperature: never_present has no value"
    unit = "served.distance: unit_change has quantiles 1.609 times"
    months = [month(7, feed), month(8, feed), month(9, "served.distance: drift is far"), month(11, unit)]
    stopped = found(FEED_STOPS, months)
    assert (stopped.month, stopped.alarm, stopped.elsewhere) == ("July", feed, ["August"])
    changed = found(UNIT_CHANGES, months)
    assert (changed.alarm, changed.elsewhere) == ("", ["November"])
    missing = found(CARRIER_DISAPPEARS, [month(11, "served.carrier: value_disappeared no B6", severity="warning")])
    assert missing.alarm == ""
