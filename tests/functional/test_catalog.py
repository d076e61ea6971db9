"""What is registered can be found and followed: the registry's tables and the commands that read them."""

from typing import Any

import pytest

from tests.conftest import Project


def test_a_view_is_registered_with_all_that_one_needs_to_reuse_it(built: Project) -> None:
    [row] = built.query(
        "select status, description, owner, entity, columns['airport'], column_descriptions['airport'], used_by, "
        "row_count, entity_count, latest_event_at, statistics['last_arrival_delay'] "
        "from registry.feature_views where relation = 'features.plane_activity_v2'"
    )
    assert row[:7] == (
        "active",
        "Where a plane is and how late it runs.",
        "operations",
        ["tailnum"],
        "varchar",
        "Where the plane is, or flies to.",
        ["dataset flight_delay"],
    )
    [facts] = built.query(
        "select count(*), count(distinct tailnum), max(event_at), count(*) - count(last_arrival_delay), "
        "min(last_arrival_delay), max(last_arrival_delay), avg(last_arrival_delay), count(distinct last_arrival_delay) "
        "from features.plane_activity_v2"
    )
    assert row[7:10] == facts[:3]
    statistics = row[10]
    assert (statistics["null_count"], int(statistics["min"]), int(statistics["max"])) == facts[3:6]
    assert statistics["mean"] == pytest.approx(facts[6], rel=1e-5)
    assert statistics["distinct_count"] == pytest.approx(facts[7], rel=0.2)


def test_lineage_reaches_the_raw_files(built: Project) -> None:
    rows = built.query(
        "select source_relation, source_column from registry.feature_lineage "
        "where view = 'plane_activity' and version = 2 and \"column\" = 'mean_arrival_delay' and usage = 'value' order by depth"
    )
    assert rows == [("staging.flights", "arrival_delay"), ("raw.flights", "arr_delay")]
    columns = built.query(
        "select view, version, unnest(map_keys(columns)) from registry.feature_views "
        'except select view, version, "column" from registry.feature_lineage where is_source'
    )
    assert columns == []


def test_usage_names_the_models_that_take_a_feature(built: Project) -> None:
    usage = "select kind, name, name_version, aliases from registry.feature_usage where view = 'plane_activity' and version = 2 "
    direct = built.query(usage + "and \"column\" = 'mean_arrival_delay' order by all")
    models = [
        ("model", name, 1, ["champion"]) for name in ("arrival_delay_minutes", "flight_delay", "flight_delay_weak")
    ]
    assert direct == [("dataset", "flight_delay", 1, []), *models]
    through_an_expression = built.query(usage + "and \"column\" = 'expected_at' and kind = 'model' order by all")
    assert through_an_expression == models
    taken = "select view, \"column\" from registry.feature_usage where name = 'flight_delay_schedule' order by all"
    assert built.query(taken) == [("departure", "local_hour"), ("departure", "weekday")]


def test_lineage_command_goes_both_ways(run: Any, built: Project) -> None:
    down = run("lineage", "features.plane_activity_v2.mean_arrival_delay", "--json")
    assert [row["source_column"] for row in down["upstream"] if row["usage"] == "value"] == [
        "arrival_delay",
        "arr_delay",
    ]
    assert [(row["kind"], row["name"], row["version"]) for row in down["users"]] == [
        ("dataset", "flight_delay", 1),
        ("model", "arrival_delay_minutes", 1),
        ("model", "flight_delay", 1),
        ("model", "flight_delay_weak", 1),
    ]
    [current] = built.query("select release from registry.releases")
    assert down["releases"] == [
        {
            "release": current[0],
            "is_current": True,
            "models": ["arrival_delay_minutes_v1", "flight_delay_v1", "flight_delay_weak_v1"],
        }
    ]
    up = run("lineage", "raw.flights.arr_delay", "--json")
    made = {row["feature"] for row in up["features"] if row["usage"] == "value"}
    assert "features.route_activity_v1.route_mean_arrival_delay" in made
    assert "features.origin_weather_v1.temperature" not in made
    said = run("lineage", "plane_activity_v2.mean_arrival_delay")
    assert "raw.flights.arr_delay (source)" in said
    assert "model flight_delay version 1 (champion)" in said


def test_features_are_found_and_shown(run: Any) -> None:
    found = run("features", "search", "DELAY", "--json")
    assert found[0]["feature"] == "features.carrier_activity_v1.carrier_mean_arrival_delay"
    assert found[0]["used_by"] == ["arrival_delay_minutes 1", "flight_delay 1", "flight_delay_weak 1"]
    assert {row["status"] for row in found} == {"active", "deprecated"}
    assert run("features", "search", "millibars", "--json")[0]["feature"] == "features.origin_weather_v1.pressure"
    assert run("features", "search", "no such thing", "--json") == []
    assert len(run("features", "list", "--json")) == 7
    shown = run("features", "show", "plane_activity", "--json")[0]
    assert (shown["version"], shown["owner"], len(shown["features"])) == (2, "operations", 8)
    assert "Where a plane is" in run("features", "show", "features.plane_activity_v1")


def test_an_unknown_name_is_answered_with_near_ones(run: Any) -> None:
    assert "Did you mean features.plane_activity_v2.mean_arrival_delay" in run(
        "lineage", "features.plane_activity_v2.mean_arival_delay", code=1
    )
    assert "Did you mean features.plane_activity" in run("features", "show", "plane_activities", code=1)
    assert "is a view; name a column of it: airport, expected_at" in run("lineage", "plane_activity_v2", code=1)
    assert "Did you mean raw.flights.arr_delay" in run("lineage", "raw.flights.arr_delai", code=1)
    assert "no feature holds" in run("features", "search", "no such thing")
    assert "the query is empty" in run("sql", "", code=1)
