"""The demonstration's dataset against a brute-force join over the real feature views."""

import datetime as dt

import duckdb

from tests.conftest import Project
from tests.point_in_time import brute_force, declaration

VIEWS = {
    "plane_activity_v2": (["tailnum"], dt.timedelta(days=2)),
    "origin_activity_v1": (["origin"], dt.timedelta(hours=3)),
    "carrier_activity_v1": (["carrier"], dt.timedelta(hours=6)),
    "route_activity_v1": (["origin", "dest"], dt.timedelta(days=7)),
    "origin_weather_v1": (["origin"], dt.timedelta(hours=6)),
}


def _dicts(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict]:
    result = connection.execute(sql)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_the_dataset_is_the_brute_force_join(built: Project) -> None:
    with duckdb.connect(str(built.database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        sample = _dicts(connection, "from datasets.flight_delay where hash(flight_id) % 100 = 0 order by flight_id")
        views = []
        for table, (entity, ttl) in VIEWS.items():
            keys = " and ".join(f"v.{key} = s.{key}" for key in entity)
            rows = _dicts(
                connection,
                f"select * from features.{table} as v where exists (select 1 from datasets.flight_delay as s "
                f"where hash(s.flight_id) % 100 = 0 and {keys} "
                "and v.known_at between s.predicted_at - interval 30 days and s.predicted_at)",
            )
            features = [name for name in rows[0] if name not in [*entity, "event_at", "known_at"]]
            views.append((declaration(table, entity, features, ttl), rows))
    assert len(sample) > 100
    spine = [
        {key: row[key] for key in ("flight_id", "tailnum", "origin", "carrier", "dest", "predicted_at")}
        for row in sample
    ]
    for row, expected in zip(sample, brute_force(spine, "predicted_at", views), strict=True):
        shared = row.keys() & expected.keys()
        assert len(shared) > 25
        assert {name: row[name] for name in shared} == {name: expected[name] for name in shared}


def test_request_features_are_what_they_say(built: Project) -> None:
    wrong = built.query(
        "select count(*) from datasets.flight_delay where "
        "local_hour is distinct from hour(sched_dep_at at time zone 'America/New_York') "
        "or weekday is distinct from isodow(sched_dep_at at time zone 'America/New_York')"
    )
    assert wrong == [(0,)]


def test_a_dataset_version_can_be_read_again(built: Project) -> None:
    artifact, row_count = built.query("select artifact, row_count from registry.datasets")[0]
    assert built.query(f"select count(*) from read_parquet('{built.home / artifact}')") == [(row_count,)]
    assert built.query(
        f"select count(*) from (from read_parquet('{built.home / artifact}') except from datasets.flight_delay)"
    ) == [(0,)]
