"""What a server logged, recomputed: nothing differs where it was right, whatever came late; each planted skew is found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from tests.conftest import Project, messages

VIEWS = ("clock", "flights", "weather", "origin_weather", "plane_activity")
TABLES = ("pushed_rows", "prediction_log", "compared_predictions", "serving_consistency", "alerts")
Row = dict[str, Any]


def _instances(project: Project) -> list[Row]:
    """Flights of the release's day and of after it; one of a plane that nobody knows, and one without."""
    rows = project.query(
        "select tailnum, carrier, flight, origin, dest, distance, strftime(sched_dep_at, '%Y-%m-%dT%H:%M:%SZ') "
        "from staging.flights where sched_dep_at > '2013-12-30' order by flight_id limit 60"
    )
    names = ["tailnum", "carrier", "flight", "origin", "dest", "distance", "sched_dep_at"]
    instances = [dict(zip(names, row, strict=True)) for row in rows]
    later = [{**one, "predicted_at": f"2014-01-0{1 + place % 3}T05:00:00Z"} for place, one in enumerate(instances)]
    return [*instances, *later, {**instances[0], "tailnum": "N0WHERE"}, {**instances[0], "tailnum": None}]


def _push(client: TestClient, tailnum: str, landings: int) -> None:
    row = {
        "tailnum": tailnum,
        "event_at": "2013-12-31T11:58:00Z",
        "airport": "JFK",
        "is_airborne": False,
        "expected_at": "2013-12-31T11:58:00Z",
        "last_departure_delay": 55,
        "last_arrival_delay": 61,
        "landings_last_day": landings,
        "mean_arrival_delay": -0.0,
        "mean_departure_delay": 0.1 + 0.2,
    }
    assert client.post("/push/plane_activity", json={"rows": [row]}).status_code == 200


def _alter(home: Path, change: Callable[[Row], None]) -> None:
    """Change the first logged request, as a server with a defect would have logged it."""
    path = max((home / "events" / "predictions").glob("2*.jsonl"))
    lines = path.read_text().splitlines()
    event = json.loads(lines[0])
    change(event)
    path.write_text("\n".join([json.dumps(event), *lines[1:]]) + "\n")


@pytest.fixture
def served(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Requests before and after pushes of the same planes; then the warehouse moves on, and takes in what was pushed."""
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    instances = _instances(project)
    with TestClient(create_app()) as client:
        for pushed in (None, instances[0]["tailnum"], instances[1]["tailnum"]):
            if pushed:
                _push(client, pushed, landings=3)
            client.post("/predict/flight_delay", json={"instances": instances}).raise_for_status()
    project.set_clock("2014-01-02T00:00:00Z")
    project.dbt("run", "-s", *VIEWS, *TABLES)
    return project


def test_nothing_differs_whatever_came_late_and_what_is_planted_is_found(served: Project) -> None:
    compared = served.query(
        "select sum(compared_count), count(distinct feature), count(distinct window_at), "
        "sum(mismatch_count + missing_count + extra_count) from monitoring.serving_consistency"
    )
    features = compared[0][1]
    assert compared == [(3 * 122 * features, features, 2, 0)]
    assert features > 20
    # The table of the view holds what was pushed, also for the requests before that.
    assert served.query(
        "select count(*) from features.plane_activity_v2 where event_at = '2013-12-31 11:58:00+00'"
    ) == [(2,)]

    def plant(event: Row) -> None:
        event["request_id"] = "planted"
        mean, landings, temperature = (
            event["names"].index(name) for name in ("mean_departure_delay", "landings_last_day", "temperature")
        )
        first, second, third = (
            next(row for row in event["features"] if row[mean] is not None and row[landings] is not None),
            event["features"][-1],
            event["features"][-2],
        )
        first[mean] = first[mean] * (1 + 2**-52) or -0.0
        first[landings] = None
        second[temperature], third[temperature] = 32.5, 33.5

    _alter(served.home, plant)
    before = served.query("from monitoring.compared_predictions order by event_id")
    # Of the predictions that were compared before, whatever becomes of a view changes nothing.
    served.write(
        "update features.plane_activity_v2 set mean_arrival_delay = mean_arrival_delay + 1 where event_at < '2013-12-31 11:58Z'"
    )
    result = served.dbt("build", "-s", *TABLES, succeeds=False)
    assert "Got 5 results" in messages(result)
    assert before == served.query(
        "from monitoring.compared_predictions where event_id not like 'planted%' order by event_id"
    )
    found = served.query(
        "select feature, sum(mismatch_count), sum(missing_count), sum(extra_count), min(example ->> 'kind'), "
        "bool_and(example ->> 'event_id' like 'planted-%'), "
        "bool_and(example ->> 'served' is distinct from example ->> 'recomputed') "
        "from monitoring.serving_consistency where example is not null group by feature order by feature"
    )
    assert found[1][1] > 10
    assert found == [
        ("landings_last_day", 0, 1, 0, "missing", True, True),
        ("mean_arrival_delay", found[1][1], 0, 0, "mismatch", True, True),
        ("mean_departure_delay", 1, 0, 0, "mismatch", True, True),
        ("temperature", 0, 0, 2, "extra", True, True),
    ]


def test_what_was_served_is_compared_with_what_the_model_learned_from(served: Project) -> None:
    served.set_clock("2014-01-02T00:00:00Z")
    served.dbt("run", "-s", "clock", "flight_delay_served", "feature_statistics", "drift")
    compared = served.query(
        "select feature, max(reference_count), max(row_count) from monitoring.drift "
        "where relation = 'monitoring.flight_delay_served' and comparison = 'training' and slice = 'all' group by feature"
    )
    counts = {feature: tuple(row) for feature, *row in compared}
    learned = served.query("select count(*) from datasets.flight_delay_v1")[0]
    # The window of January is not over.
    asked = served.query(
        "select count(*) from monitoring.flight_delay_served where predicted_at < '2014-01-01 00:00Z'"
    )[0]
    assert counts["carrier"] == (learned[0], asked[0])
    assert counts["score"] == (
        served.query("select count(*) from training.flight_delay_scores where split = 'test' and version = 1")[0][0],
        asked[0],
    )
    assert {"temperature", "distance", "(all)"} <= counts.keys()
    again = served.query("from monitoring.drift order by all")
    served.dbt("run", "-s", "drift")
    assert served.query("from monitoring.drift order by all") == again
