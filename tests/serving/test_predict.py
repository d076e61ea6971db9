"""Predictions over HTTP: the same as in batch, with a status for what is missing, and logged once."""

import datetime as dt
from typing import Any

from fastapi.testclient import TestClient

from tests.conftest import Project

REQUEST = "flights.tailnum, flights.carrier, flights.flight, flights.origin, flights.dest, flights.sched_dep_at, flights.distance"


def _upcoming(project: Project) -> tuple[list[dict[str, Any]], list[tuple]]:
    rows = project.query(
        f"select score, label, status, missing, {REQUEST} from predictions.flight_delay "
        "inner join staging.flights as flights on row_id = flight_id order by row_id"
    )
    names = [name.split(".")[1] for name in REQUEST.split(", ")]
    instances = [dict(zip(names, row[4:], strict=True)) for row in rows]
    for instance in instances:
        instance["sched_dep_at"] = instance["sched_dep_at"].astimezone(dt.UTC).isoformat()
    return instances, [row[:4] for row in rows]


def test_http_and_batch_agree_bit_for_bit(client: TestClient, project: Project) -> None:
    instances, expected = _upcoming(project)
    answer = client.post("/predict/flight_delay", json={"instances": instances})
    assert answer.status_code == 200, answer.text
    found = [
        (one["score"], one["label"], one["status"], one.get("missing", [])) for one in answer.json()["predictions"]
    ]
    assert found == expected
    alone = [
        client.post("/predict/flight_delay", json={"instances": [instance]}).json()["predictions"][0]["score"]
        for instance in instances[:20]
    ]
    assert alone == [row[0] for row in expected[:20]]


def test_an_answer_names_model_version_release_and_request(client: TestClient, instance: dict) -> None:
    answer = client.post("/predict/flight_delay", json={"instances": [instance]}).json()
    assert answer["model"] == "flight_delay"
    assert answer["version"] == 1
    assert answer["release"] == client.get("/health/ready").json()["release"]
    assert len(answer["request_id"]) == 32


def test_an_unknown_entity_gets_a_prediction_with_a_status(client: TestClient, instance: dict) -> None:
    for tailnum in ("N0WHERE", None):
        one = client.post("/predict/flight_delay", json={"instances": [{**instance, "tailnum": tailnum}]}).json()
        assert one["predictions"][0]["status"] == "incomplete"
        assert "plane_activity" in one["predictions"][0]["missing"]


def test_ttl_is_counted_to_the_prediction_time(client: TestClient, instance: dict) -> None:
    later = {**instance, "predicted_at": "2014-01-20T00:00:00Z"}
    one = client.post("/predict/flight_delay", json={"instances": [later]}).json()["predictions"][0]
    assert set(one["missing"]) == {
        "plane_activity",
        "origin_activity",
        "carrier_activity",
        "route_activity",
        "origin_weather",
    }


def test_versions_and_aliases(client: TestClient, instance: dict) -> None:
    by_version = client.post("/predict/flight_delay", json={"instances": [instance], "version": 1})
    by_alias = client.post("/predict/flight_delay", json={"instances": [instance], "alias": "champion"})
    assert by_version.json()["predictions"] == by_alias.json()["predictions"]


def test_every_prediction_is_logged_and_read_once(client: TestClient, project: Project, instance: dict) -> None:
    sent = [instance, {**instance, "tailnum": "N0WHERE"}]
    answer = client.post("/predict/flight_delay", json={"instances": sent}).json()
    log = next(path for path in (project.home / "events" / "predictions").iterdir() if path.stat().st_size)
    with log.open("a") as file:
        file.write('{"event_id": "torn')
    for _ in range(2):
        project.dbt("run", "-s", "prediction_log")
        logged = project.query(
            "select request_id, model, version, release, score, status, instance->>'tailnum', "
            "(features->>'distance')::int from monitoring.prediction_log order by event_id"
        )
        assert logged == [
            (answer["request_id"], "flight_delay", 1, answer["release"], one["score"], one["status"], tailnum, 1069)
            for one, tailnum in zip(answer["predictions"], ("N529JB", "N0WHERE"), strict=True)
        ]


def test_features_have_values_and_statuses(client: TestClient, project: Project) -> None:
    tailnum, event_at, delay = project.query(
        "select tailnum, event_at, mean_departure_delay from features.plane_activity_v2 "
        "where event_at > '2013-12-31' order by event_at desc, tailnum limit 1"
    )[0]
    answer = client.post(
        "/features/plane_activity", json={"keys": [{"tailnum": tailnum}, {"tailnum": "N0WHERE"}]}
    ).json()
    assert (answer["view"], answer["version"]) == ("plane_activity", 2)
    there, missing = answer["rows"]
    assert there["features"]["mean_departure_delay"] == {"value": delay, "status": "present"}
    assert dt.datetime.fromisoformat(there["event_at"]) == event_at
    assert missing["event_at"] is None
    assert {feature["status"] for feature in missing["features"].values()} == {"not_found"}
    assert client.post("/features/plane_activity_v1", json={"keys": [{"tailnum": tailnum}]}).json()["version"] == 1
    weather = client.post("/features/origin_weather", json={"keys": [{"origin": "JFK"}]}).json()["rows"][0]
    assert weather["features"]["temperature"] == {"value": None, "status": "expired"}


def test_the_other_pages(client: TestClient, instance: dict) -> None:
    client.post("/predict/flight_delay", json={"instances": [instance]})
    assert client.get("/health/live").json() == {"status": "live"}
    assert [model["model"] for model in client.get("/models").json()["models"]] == [
        "arrival_delay_minutes",
        "flight_delay",
        "flight_delay_schedule",
        "flight_delay_weak",
    ]
    model = client.get("/models/flight_delay").json()
    assert model["aliases"] == {"champion": 1}
    assert {"name": "carrier", "type": "varchar", "required": True} in model["versions"][0]["request"]
    releases = client.get("/releases").json()
    assert [one["is_current"] for one in releases["releases"]] == [True]
    metrics = client.get("/metrics").text
    assert 'eiderdown_predictions_total{model="flight_delay",status="incomplete",version="1"} 1.0' in metrics
    assert 'eiderdown_requests_total{route="/predict/{model}",status="200"} 1.0' in metrics
    assert client.get("/openapi.json").status_code == 200
    assert client.get("/docs").status_code == 200
