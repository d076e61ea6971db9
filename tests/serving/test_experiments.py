"""Requests that are split among the arms of an experiment: who answers, and what is logged."""

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ml.experiments.assignment import Draw, bucket, bucket_of_request
from ml.experiments.states import ExperimentState
from ml.scoring.signature import RequestField
from serving.app import create_app
from serving.requests.instances import Row
from serving.settings import Settings
from tests.made_up_release import point_at
from tests.served_experiments import ALIASES, ARMS, MACHINES, ask, lines, plant, publish, until

SETTINGS = Settings(poll_seconds=0.02, cache_rows=0)
UNIT = {"unit": ["machine"]}
Faults = dict[int, Callable[[list[Row]], None]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return plant(monkeypatch)


@pytest.fixture
def client(home: Path, faults: Faults) -> Iterator[TestClient]:
    """A server of an experiment by machine, half and half."""
    publish(home, "ab", **UNIT)
    with TestClient(create_app(SETTINGS)) as client:
        yield client


def experiment(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/models/stops").json()["experiment"]
    return found


def drawn(client: TestClient, machines: list[str]) -> list[str]:
    """The arms that the machines belong to."""
    shown = experiment(client)
    draw = Draw({name: arm["weight"] for name, arm in shown["arms"].items()})
    return [draw(bucket(shown["fingerprint"], json.dumps([machine]))) for machine in machines]


def test_each_instance_gets_its_arm_in_its_place(client: TestClient, home: Path) -> None:
    answer = ask(client, MACHINES)
    arms = drawn(client, MACHINES)
    assert {"control", "treatment"} == set(arms)
    assert [one["arm"] for one in answer["predictions"]] == arms
    assert (answer["version"], answer["experiment"]) == (None, "trial")
    asked = {version: ask(client, MACHINES, version=version) for version in (1, 2)}
    assert all("experiment" not in one and "arm" not in one["predictions"][0] for one in asked.values())
    for place, (one, arm) in enumerate(zip(answer["predictions"], arms, strict=True)):
        version = {"control": 1, "treatment": 2}[arm]
        assert (one["model"], one["version"]) == ("stops", version)
        assert one["score"] == asked[version]["predictions"][place]["score"]

    logged = [event for event in lines(home, "predictions") if event["request_id"] == answer["request_id"]]
    assert {event["assignment"]["arm"] for event in logged} == {"control", "treatment"}
    shown = experiment(client)
    for event in logged:
        arm = event["assignment"]["arm"]
        assert event["assignment"] == {
            "experiment": "trial",
            "fingerprint": shown["fingerprint"],
            "endpoint": "stops",
            "arm": arm,
            "role": "answer",
        }
        places = [place for place, name in enumerate(arms) if name == arm]
        assert event["places"] == places
        assert event["units"] == [json.dumps([MACHINES[place]]) for place in places]
        assert event["probability"] == 0.5
        assert event["seconds"] >= 0
        assert event["version"] == shown["arms"][arm]["version"]
        assert event["score"] == [answer["predictions"][place]["score"] for place in places]
        assert [instance[0] for instance in event["instances"]] == [MACHINES[place] for place in places]


def test_a_machine_keeps_its_arm_wherever_it_is_asked_for(client: TestClient, home: Path) -> None:
    arms = dict(zip(MACHINES, drawn(client, MACHINES), strict=True))
    with TestClient(create_app(SETTINGS)) as other:
        for server in (client, other):
            for machines in (MACHINES[:1], MACHINES[::-1], MACHINES[5:8] * 2):
                answer = ask(server, machines)
                assert [one["arm"] for one in answer["predictions"]] == [arms[machine] for machine in machines]
    alone = [event for event in lines(home, "predictions") if len(event["score"]) == 1]
    assert all("places" not in event for event in alone)


def test_who_names_a_version_is_in_no_experiment(client: TestClient, home: Path) -> None:
    for named, version in (({"alias": "champion"}, 1), ({"alias": "challenger"}, 2), ({"version": 3}, 3)):
        answer = ask(client, MACHINES, **named)
        assert (answer["version"], answer.get("experiment")) == (version, None)
    assert all("assignment" not in event for event in lines(home, "predictions"))


def test_explanations_are_of_the_arm_that_answers(client: TestClient) -> None:
    answer = ask(client, MACHINES, explain=True)
    asked = {version: ask(client, MACHINES, explain=True, version=version)["predictions"] for version in (1, 2)}
    for place, one in enumerate(answer["predictions"]):
        assert one["explanation"] == asked[one["version"]][place]["explanation"]


def test_outcomes_are_taken_by_the_endpoint(client: TestClient, home: Path) -> None:
    request_id = ask(client, MACHINES)["request_id"]
    outcomes = [{"request_id": request_id, "instance": place, "outcome": True} for place in range(len(MACHINES))]
    assert client.post("/feedback/stops", json={"outcomes": outcomes}).json()["accepted"] == len(MACHINES)
    assert len(lines(home, "feedback")) == len(MACHINES)


def test_one_without_a_unit_is_drawn_by_request(home: Path) -> None:
    publish(home, "ab", weights={"control": 1, "treatment": 3})
    with TestClient(create_app(SETTINGS)) as client:
        shown = experiment(client)
        draw = Draw({name: arm["weight"] for name, arm in shown["arms"].items()})
        answers = [ask(client, MACHINES[:3]) for _ in range(60)]
        for answer in answers:
            (arm,) = {one["arm"] for one in answer["predictions"]}
            assert arm == draw(bucket_of_request(answer["request_id"]))
            assert answer["version"] == {"control": 1, "treatment": 2}[arm]
        logged = lines(home, "predictions")
    assert {event["assignment"]["arm"] for event in logged} == {"control", "treatment"}
    assert all("units" not in event and "places" not in event for event in logged)
    shares = {event["assignment"]["arm"]: event["probability"] for event in logged}
    assert shares == {"control": 0.25, "treatment": 0.75}


def test_units_of_several_fields_and_none(home: Path) -> None:
    more = [RequestField("site", "VARCHAR", False), RequestField("since", "TIMESTAMP WITH TIME ZONE", False)]
    publish(home, "ab", unit=["since", "site"], fields_of={1: more, 2: [more[1]]})
    with TestClient(create_app(SETTINGS)) as client:
        shown = experiment(client)
        draw = Draw({name: arm["weight"] for name, arm in shown["arms"].items()})
        given = [
            {"site": site, "since": since}
            for site in ('"a"', "é", None)
            for since in ("2025-01-01T00:00:00+01:00", None)
        ]
        instances = [{"machine": "m1"} | {name: value for name, value in one.items() if value} for one in given]
        answer = client.post("/predict/stops", json={"instances": instances}).json()
        logged = lines(home, "predictions")
    units = [None] * len(given)
    for event in logged:
        at = [event["fields"].index(name) for name in ("since", "site")] if event["version"] == 1 else None
        for place, unit, values in zip(event.get("places", range(6)), event["units"], event["instances"], strict=True):
            units[place] = unit
            if at and unit is not None:
                # As the values are logged in the instance.
                assert json.loads(unit) == [values[one] for one in at]
    assert units[-1] is None
    assert units.count(None) == 1
    assert units[0] == '["2024-12-31T23:00:00Z","\\"a\\""]'
    for one, unit in zip(answer["predictions"], units, strict=True):
        assert one["arm"] == draw(
            bucket_of_request(answer["request_id"]) if unit is None else bucket(shown["fingerprint"], unit)
        )
    # An arm whose model takes fewer fields gets those.
    assert {event["version"]: event["fields"] for event in logged} == {
        1: ["machine", "site", "since", "predicted_at"],
        2: ["machine", "since", "predicted_at"],
    }


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        (
            {"arms": ARMS | {"treatment": "stops@soon"}},
            "the arm treatment waits for a version with the alias stops@soon",
        ),
        (
            {"arms": ARMS | {"treatment": "stops@9"}},
            "the arm treatment waits for the version stops@9, which the release",
        ),
        ({"unit": ["site"]}, "the unit site is no request field of the control"),
        (
            {"fields_of": {2: [RequestField("site", "VARCHAR", False)]}},
            "the arm treatment takes the request field site, which the control does not; make it the control",
        ),
        (
            {"fields_of": {1: [RequestField("n", "BIGINT", False)], 2: [RequestField("n", "BIGINT", True)]}},
            "the arm treatment takes the request field n otherwise than the control",
        ),
        ({"policy": "of the future"}, "policy is 'of the future'; it must be one of"),
    ],
)
def test_the_champion_answers_until_an_experiment_can_run(home: Path, others: dict[str, Any], reason: str) -> None:
    publish(home, others.pop("policy", "ab"), **others)
    with TestClient(create_app(SETTINGS)) as client:
        answer = ask(client, MACHINES)
        assert (answer["version"], answer.get("experiment")) == (1, None)
        shown = experiment(client)
        assert (shown["name"], shown["status"]) == ("trial", "waiting")
        assert reason in shown["reason"]
        assert client.get("/health/ready").status_code == 200
        if "soon" in reason:
            publish(home, "ab", **others, aliases=ALIASES | {"soon": 3})
            assert until(lambda: experiment(client).get("fingerprint"))
            assert {ask(client, MACHINES[:1])["version"] for _ in range(60)} == {1, 3}


def test_another_release_while_requests_are_answered(home: Path) -> None:
    """Each request is answered, and by the arms of one release."""
    first = publish(home, "ab", **UNIT)
    second = publish(home, "ab", **UNIT, aliases={"champion": 1, "challenger": 3})
    versions = {first: {1, 2}, second: {1, 3}}
    answers: list[Any] = []
    stop = threading.Event()
    with TestClient(create_app(SETTINGS)) as client:

        def go_on() -> None:
            while not stop.is_set():
                answers.append(
                    client.post("/predict/stops", json={"instances": [{"machine": name} for name in MACHINES]})
                )

        askers = [threading.Thread(target=go_on) for _ in range(3)]
        for asker in askers:
            asker.start()
        for name in (first, second) * 3:
            point_at(home, name)
            until(lambda name=name: client.get("/health/ready").json()["release"] == name)
        stop.set()
        for asker in askers:
            asker.join()
    assert {answer.status_code for answer in answers} == {200}
    found = [answer.json() for answer in answers]
    assert {answer["release"] for answer in found} == {first, second}
    for answer in found:
        assert {one["version"] for one in answer["predictions"]} == versions[answer["release"]]


def test_workers_go_by_what_is_known_and_pass_over_other_arms(client: TestClient, home: Path) -> None:
    shown = experiment(client)
    moment = dt.datetime.now(dt.UTC)

    def say(status: str, weights: dict[str, float]) -> None:
        state = ExperimentState(
            moment, "trial", shown["fingerprint"], "stops", "ab", status, "by hand", weights, {}, {}
        )
        folder = home / "events" / "experiments"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "by_hand.jsonl").open("ab") as file:
            file.write(state.to_line())

    say("running", {"control": 0.0, "treatment": 2.0})
    until(lambda: experiment(client)["reason"] == "by hand")
    assert {one["arm"] for one in ask(client, MACHINES)["predictions"]} == {"treatment"}
    say("running", {"control": 0.5, "other": 0.5})
    say("running", {"control": 0.0, "treatment": 0.0})
    say("stopped", {"control": 1.0, "treatment": 0.0})
    until(lambda: experiment(client)["status"] == "stopped")
    assert {one["arm"] for one in ask(client, MACHINES)["predictions"]} == {"control"}
    say("running", {"control": 0.0, "treatment": 1.0})
    client.app.state.states.read()
    assert experiment(client)["status"] == "stopped"
    with TestClient(create_app(SETTINGS)) as other:
        assert experiment(other)["status"] == "stopped"
