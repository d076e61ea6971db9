"""Arrow in and out: the scores of JSON, bit for bit, logged once, refused with the place, and ended when nobody waits."""

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.predictions.answered import Answered, MadeBy
from serving.predictions.bulk import LONGEST_LINE, PART_ROWS, Bulk
from serving.predictions.served_model import ServedModel
from serving.predictions.target import Target
from serving.problems import Problem
from serving.releases.served_release import ServedRelease
from serving.requests.arrow_stream import ARROW
from serving.settings import Settings
from tests.arrow_streams import written
from tests.conftest import Project
from tests.made_up_release import AS_OF, HOUR, publish, row

HEADERS = {"content-type": ARROW}
SETTINGS = Settings(poll_seconds=60, max_instances=100, max_arrow_rows=5000, max_arrow_bytes=50_000_000)
EARLY = pa.table({"machine": ["m1"], "predicted_at": pa.array([0], pa.timestamp("s", "UTC"))})
MACHINES = [f"m{number}" for number in range(7)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("arrow")
    found = [row(name, AS_OF - HOUR * 5 * place, AS_OF - HOUR, place / 7) for place, name in enumerate(MACHINES[:6])]
    publish(home, found)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EIDERDOWN_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def made_up(home: Path) -> Iterator[TestClient]:
    with TestClient(create_app(SETTINGS)) as client:
        yield client


def post(client: TestClient, path: str, table: pa.Table, **headers: str) -> pa.Table:
    answer = client.post(path, content=written(table), headers=HEADERS | headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == ARROW
    return pa.ipc.open_stream(answer.content).read_all()


def machines(rows: int) -> pa.Table:
    """Rows whose entities, times and ages differ: some expired, some unknown."""
    times = [AS_OF + HOUR * (place % 11) for place in range(rows)]
    names = [MACHINES[place % 7] for place in range(rows)]
    return pa.table({"predicted_at": pa.array(times, pa.timestamp("us", "UTC")), "machine": names})


def logged(home: Path, request_id: str) -> list[dict[str, Any]]:
    lines = [
        line for file in (home / "events" / "predictions").glob("*.jsonl") for line in file.read_text().splitlines()
    ]
    return [event for event in map(json.loads, lines) if event["request_id"] == request_id]


def test_scores_are_those_of_json_and_batch_bit_for_bit(standing_client: TestClient, built: Project) -> None:
    names = ["tailnum", "carrier", "flight", "origin", "dest", "sched_dep_at", "distance"]
    rows = built.query(
        f"select {', '.join(names)}, score, label, status, missing from predictions.flight_delay "
        f"inner join staging.flights on row_id = flight_id order by row_id"
    )
    instances = [dict(zip(names, one[:7], strict=True)) for one in rows]
    table = pa.Table.from_pylist(instances)
    coded = table.set_column(1, "carrier", table.column("carrier").dictionary_encode())
    found = post(standing_client, "/predict/flight_delay", coded)
    assert found.column_names == ["score", "label", "status", "missing"]
    assert [tuple(one.values()) for one in found.to_pylist()] == [one[7:] for one in rows]
    for one in instances:
        one["sched_dep_at"] = one["sched_dep_at"].astimezone(dt.UTC).isoformat()
    by_json = standing_client.post("/predict/flight_delay", json={"instances": instances}).json()
    assert found.column("score").to_pylist() == [one["score"] for one in by_json["predictions"]]
    about = {name.decode(): value.decode() for name, value in found.schema.metadata.items()}
    assert len(about.pop("request_id")) == 32
    assert about == {"model": "flight_delay", "version": str(by_json["version"]), "release": by_json["release"]}


def test_parts_are_logged_once_with_the_places_of_their_rows(made_up: TestClient, home: Path) -> None:
    table = machines(2 * PART_ROWS + 7)
    found = post(made_up, "/predict/stops", table)
    lines = logged(home, found.schema.metadata[b"request_id"].decode())
    assert [len(line["instances"]) for line in lines] == [PART_ROWS, PART_ROWS, 7]
    assert [place for line in lines for place in line["places"]] == list(range(len(table)))
    assert [score for line in lines for score in line["score"]] == found.column("score").to_pylist()
    assert [entry for line in lines for entry in line["missing"]] == found.column("missing").to_pylist()
    assert {tuple(entry) for entry in found.column("missing").to_pylist()} == {(), ("machine",)}
    assert [line["instances"][0][0] for line in lines] == [table["machine"][place].as_py() for place in (0, 1000, 2000)]
    instances = [dict(one, predicted_at=one["predicted_at"].isoformat()) for one in table.slice(0, 77).to_pylist()]
    answer = made_up.post("/predict/stops", json={"instances": instances}).json()
    assert [one["score"] for one in answer["predictions"]] == found.column("score").to_pylist()[:77]
    [line] = logged(home, answer["request_id"])
    for name in ("instances", "features", "predicted_at", "label"):
        assert line[name] == lines[0][name][:77]


def test_a_request_of_one_part_is_logged_as_that_of_json(made_up: TestClient, home: Path) -> None:
    found = post(made_up, "/predict/stops?alias=champion", pa.table({"machine": ["m1"]}))
    [line] = logged(home, found.schema.metadata[b"request_id"].decode())
    answer = made_up.post("/predict/stops", json={"instances": [{"machine": "m1"}]}).json()
    [other] = logged(home, answer["request_id"])
    changing = {"request_id": "", "logged_at": ""}
    assert line | changing == other | changing


def test_long_texts_make_shorter_lines(made_up: TestClient, home: Path) -> None:
    table = pa.table({"machine": pa.array(["\x01" * 9000] * 300).dictionary_encode()})
    found = post(made_up, "/predict/stops", table)
    lines = logged(home, found.schema.metadata[b"request_id"].decode())
    assert len(lines) > 1
    assert [place for line in lines for place in line["places"]] == list(range(300))
    assert all(len(json.dumps(line)) < 2 * LONGEST_LINE for line in lines)


def test_json_is_answered_in_arrow_where_that_is_accepted(made_up: TestClient) -> None:
    body = {"instances": [{"machine": "m1"}, {"machine": "m6"}]}
    answer = made_up.post("/predict/stops", json=body, headers={"accept": ARROW})
    assert answer.headers["content-type"] == ARROW
    found = pa.ipc.open_stream(answer.content).read_all()
    assert (
        found.column("score").to_pylist()
        == post(made_up, "/predict/stops", pa.table({"machine": ["m1", "m6"]}))[0].to_pylist()
    )


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/predict/nothing", {}, 404),
        ("/predict/stops?alias=nobody", {}, 404),
        ("/predict/stops?version=9", {}, 404),
        ("/predict/stops?version=one", {}, 422),
        ("/predict/stops?version=1&alias=champion", {}, 422),
        ("/predict/stops?explain=true", {}, 422),
        ("/predict/stops", {"accept": "application/json"}, 406),
        ("/predict/stops", {"content-encoding": "gzip"}, 415),
        ("/predict/stops", {"x-timeout-ms": "soon"}, 400),
    ],
)
def test_a_wrong_request_is_refused(made_up: TestClient, path: str, headers: dict[str, str], status: int) -> None:
    body = written(pa.table({"machine": ["m1"]}))
    answer = made_up.post(path, content=body, headers=HEADERS | headers)
    assert (answer.status_code, bool(answer.json()["detail"][0]["msg"])) == (status, True)


@pytest.mark.parametrize(
    ("table", "status", "location"),
    [
        (pa.table({"machine": ["m1", None]}), 422, ["instances", 1, "machine"]),
        (pa.table({"machine": ["m1"], "zqxjk": [1]}), 422, ["columns"]),
        (
            pa.table({"machine": ["m1"], "predicted_at": pa.array([0], pa.timestamp("s", "UTC"))}),
            422,
            ["instances", 0, "predicted_at"],
        ),
        (pa.table({"machine": ["m1"] * 5001}), 413, []),
    ],
)
def test_a_wrong_table_is_refused(made_up: TestClient, table: pa.Table, status: int, location: list) -> None:
    answer = made_up.post("/predict/stops", content=written(table), headers=HEADERS)
    [detail] = answer.json()["detail"]
    assert (answer.status_code, detail.get("loc", ["body"])) == (status, ["body", *location])
    assert "zqxjk" not in answer.text


def test_more_at_once_than_there_is_room_for_are_refused(made_up: TestClient) -> None:
    room = made_up.app.state.arrow_room
    made_up.app.state.arrow_room = asyncio.Semaphore(0)
    try:
        answer = made_up.post("/predict/stops", content=b"", headers=HEADERS)
    finally:
        made_up.app.state.arrow_room = room
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_nothing_more_is_scored_when_nobody_waits(made_up: TestClient) -> None:
    served = made_up.app.state.current.release.target("stops")
    table = pa.table([machines(4500)["machine"], machines(4500)["predicted_at"]], ["machine", "predicted_at"])
    lines, waited = [], 0

    async def wait(running: asyncio.Future[Any]) -> None:
        nonlocal waited
        waited += 1
        if waited > 3:
            raise Problem(408, "its time is up")
        await running

    async def ask() -> None:
        bulk = Bulk(served.predictor, served.events, lambda predictions, stages, seconds: None)
        with pytest.raises(Problem):
            await bulk.answer(table, "x", wait, lambda line, count: lines.append(count))
        bulk.finish()

    asyncio.run(ask())
    # A part that was begun is finished.
    assert sum(lines) in (2 * PART_ROWS, 3 * PART_ROWS)


def test_its_time_is_up(made_up: TestClient) -> None:
    answer = made_up.post("/predict/stops", content=written(machines(5000)), headers=HEADERS | {"x-timeout-ms": "0"})
    assert answer.status_code == 408
    assert made_up.post("/predict/stops", json={"instances": [{"machine": "m1"}]}).status_code == 200


class _Split(Target):
    """What takes rows, and says who made each prediction."""

    def __init__(self, served: ServedModel) -> None:
        self.name, self.version, self.signature = served.name, None, served.signature
        self._served = served

    def check(self, instances: Any, most: int, now: dt.datetime) -> list:
        return self._served.check(instances, most, now)

    def observe(self, parse: float, serialise: float) -> None:
        self._served.observe(parse, serialise)

    async def finish(self) -> None:
        await self._served.finish()

    async def answer(self, rows: list, deadline: float, gone: Any, explain: bool = False) -> Answered:
        answered = await self._served.answer(rows, deadline, gone, explain)
        answered.made_by = [MadeBy("control", self.name, 1)] * len(rows)
        return answered


def test_a_target_of_rows_is_asked_part_by_part(
    made_up: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = machines(250)
    expected = post(made_up, "/predict/stops", table)
    find = ServedRelease.target
    monkeypatch.setattr(ServedRelease, "target", lambda self, *named: _Split(find(self, *named)))
    found = post(made_up, "/predict/stops", table)
    assert found.column("score").to_pylist() == expected.column("score").to_pylist()
    assert (
        found.select(["arm", "model", "version"]).to_pylist()
        == [{"arm": "control", "model": "stops", "version": 1}] * 250
    )
    ids = found.column("request_id").to_pylist()
    assert [ids.count(one) for one in dict.fromkeys(ids)] == [100, 100, 50]
    assert [len(line["instances"]) for one in dict.fromkeys(ids) for line in logged(home, one)] == [100, 100, 50]
    assert found.column("instance").to_pylist() == [*range(100), *range(100), *range(50)]

    table = pa.table({"machine": pa.array(["\x01" * 9000] * 100).dictionary_encode()})
    found = post(made_up, "/predict/stops", table)
    ids = dict.fromkeys(found.column("request_id").to_pylist())
    logs = [line for one in ids for line in logged(home, one)]
    assert sum(len(line["instances"]) for line in logs) == len(found) == 100
    assert len(logs) > 1
    assert all(len(json.dumps(line)) <= LONGEST_LINE for line in logs)
