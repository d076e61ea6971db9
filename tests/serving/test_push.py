"""Pushed rows: what is taken, which row counts, and that each worker has it, over a release that is made up."""

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from ml.field_types import encode
from serving.app import create_app
from serving.settings import Settings
from tests import made_up_release
from tests.made_up_release import AS_OF, HOUR, row

SETTINGS = Settings(poll_seconds=0.05, max_instances=50, max_pushed_rows=60)
PATIENCE_SECONDS = 60


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release with the rows of two machines, an hour and three days old."""
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    made_up_release.publish(
        tmp_path, [row("a", AS_OF - HOUR, AS_OF - HOUR, 1.0), row("b", AS_OF - 72 * HOUR, AS_OF, 2.0)]
    )
    return tmp_path


@pytest.fixture(scope="module")
def standing_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for the tests that push nothing."""
    home = tmp_path_factory.mktemp("standing")
    made_up_release.publish(home, [row("a", AS_OF - HOUR, AS_OF - HOUR, 1.0)])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EIDERDOWN_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def worker(standing_home: Path) -> Iterator[TestClient]:
    with TestClient(create_app(SETTINGS)) as client:
        yield client


@pytest.fixture
def workers(home: Path) -> Iterator[list[TestClient]]:
    with TestClient(create_app(SETTINGS)) as one, TestClient(create_app(SETTINGS)) as other:
        yield [one, other]


def _body(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"rows": [{name: encode(value) for name, value in one.items()} for one in rows]}


def _push(client: TestClient, *rows: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/push/machine", json=_body(*rows))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _heat(client: TestClient, machine: str) -> tuple[Any, str]:
    """The value and its status."""
    answer = client.post("/features/machine", json={"keys": [{"machine": machine}]}).json()
    heat = answer["rows"][0]["features"]["heat"]
    return heat["value"], heat["status"]


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def test_every_worker_has_what_was_pushed(home: Path, workers: list[TestClient]) -> None:
    one, other = workers
    answer = _push(one, row("a", AS_OF, AS_OF, 5.0), row("new", AS_OF, AS_OF, 6.0))
    assert answer["view"] == "machine"
    assert answer["version"] == 1
    assert answer["accepted"] == len(set(answer["event_ids"])) == 2
    assert [_heat(one, name) for name in ("a", "new")] == [(5.0, "present"), (6.0, "present")]
    _await(lambda: _heat(other, "new") == (6.0, "present"))
    assert _heat(other, "a") == (5.0, "present")
    found = other.post("/features/machine", json={"keys": [{"machine": "new"}]}).json()["rows"][0]
    assert found["event_at"] == "2026-01-01T12:00:00Z"
    assert found["features"]["parts"] == {"value": {"name": "belt", "counts": [1, None]}, "status": "present"}
    assert found["features"]["place"] == {"value": None, "status": "null"}
    (path,) = (home / "events" / "pushes").iterdir()
    events = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [event["event_id"] for event in events] == answer["event_ids"]
    assert {**events[0], "event_id": "", "logged_at": ""} == {
        "event_id": "",
        "logged_at": "",
        "view": "machine",
        "version": 1,
        "row": _body(row("a", AS_OF, AS_OF, 5.0))["rows"][0],
    }
    with TestClient(create_app(SETTINGS)) as later:
        assert _heat(later, "a") == (5.0, "present")


def test_a_prediction_is_made_of_what_was_pushed(home: Path, workers: list[TestClient]) -> None:
    one, other = workers

    def heats(client: TestClient) -> list[float | None]:
        """What three machines are scored by, as the log has it; the scores must be those of these values."""
        body = {"instances": [{"machine": name} for name in ("a", "b", "new")]}
        answer = client.post("/predict/stops", json=body).json()
        lines = b"".join(path.read_bytes() for path in (home / "events" / "predictions").iterdir()).splitlines()
        logged = next(event for event in map(json.loads, lines) if event["request_id"] == answer["request_id"])
        heats = [features[0] for features in logged["features"]]
        table = pa.table({"heat": pa.array(heats, pa.float64())})
        assert [one["score"] for one in answer["predictions"]] == made_up_release.scorer(home).score(table).tolist()
        return heats

    # Twice, so that the second is from the cache.
    for _ in range(2):
        assert heats(one) == heats(other) == [1.0, None, None]
    _push(one, row("a", AS_OF, AS_OF, 5.0), row("b", AS_OF, AS_OF, None), row("new", AS_OF - 25 * HOUR, AS_OF, 6.0))
    assert heats(one)[0] == 5.0
    _await(lambda: heats(other)[0] == 5.0)
    _push(other, row("new", AS_OF, AS_OF, 7.0))
    assert heats(other) == [5.0, None, 7.0]
    _await(lambda: heats(one) == [5.0, None, 7.0])


def test_an_older_row_changes_nothing(workers: list[TestClient]) -> None:
    one, other = workers
    _push(one, row("a", AS_OF - 2 * HOUR, AS_OF, 5.0), row("a", AS_OF - HOUR, AS_OF - HOUR, 6.0))
    _push(one, row("later", AS_OF, AS_OF, 1.0), row("later", AS_OF - HOUR, AS_OF, 2.0), row("later", AS_OF, AS_OF, 3.0))
    assert _heat(one, "a") == (1.0, "present")
    assert _heat(one, "later") == (1.0, "present")
    _await(lambda: _heat(other, "later") == (1.0, "present"))
    assert _heat(other, "a") == (1.0, "present")


def test_a_row_counts_from_when_it_was_known_until_its_ttl(workers: list[TestClient]) -> None:
    one, _ = workers
    _push(one, row("a", AS_OF, AS_OF + HOUR, 5.0))
    assert _heat(one, "a") == (1.0, "present")
    assert _heat(one, "b") == (None, "expired")
    _push(one, row("b", AS_OF - 24 * HOUR, AS_OF, 5.0))
    assert _heat(one, "b") == (5.0, "present")
    _push(one, row("c", AS_OF - 24 * HOUR - dt.timedelta(seconds=1), AS_OF, 5.0))
    assert _heat(one, "c") == (None, "expired")
    unsaid = _body(row("d", AS_OF - HOUR, AS_OF, 7.0))
    del unsaid["rows"][0]["known_at"]
    assert one.post("/push/machine", json=unsaid).status_code == 200
    assert _heat(one, "d") == (7.0, "present")


def test_the_next_release_takes_over(home: Path, workers: list[TestClient]) -> None:
    before = (home / "releases" / "current").read_text()
    _push(workers[0], row("a", AS_OF, AS_OF, 5.0), row("new", AS_OF, AS_OF, 6.0), row("left", AS_OF, AS_OF, 7.0))
    # The next run corrects one, has read another, and not the third.
    rows = [row("a", AS_OF, AS_OF, 50.0), row("new", AS_OF + HOUR, AS_OF + HOUR, 60.0)]
    after = made_up_release.publish(home, rows, as_of=AS_OF + HOUR, created_at=AS_OF + HOUR)
    for worker in workers:
        _await(lambda worker=worker: worker.get("/health/ready").json()["release"] == after)
        _await(lambda worker=worker: _heat(worker, "left") == (7.0, "present"))
        assert _heat(worker, "a") == (50.0, "present")
        assert _heat(worker, "new") == (60.0, "present")
        assert len(worker.app.state.current.release.views["machine_v1"].pushed) == 1  # type: ignore[attr-defined]
    # The release from before lacks what the later one held.
    made_up_release.point_at(home, before)
    for worker in workers:
        _await(lambda worker=worker: worker.get("/health/ready").json()["release"] == before)
        assert [_heat(worker, name)[0] for name in ("a", "new", "left")] == [5.0, 6.0, 7.0]


def test_the_newest_wins_on_every_worker(workers: list[TestClient]) -> None:
    times = [AS_OF + dt.timedelta(minutes=minute) for minute in range(-40, 0)]

    def push(number: int) -> None:
        mine = times[number // 2 :: 4]
        for at in mine if number % 2 else reversed(mine):
            _push(workers[number % 2], row("a", at, AS_OF, at.timestamp()))

    threads = [threading.Thread(target=push, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        _await(lambda worker=worker: _heat(worker, "a") == (times[-1].timestamp(), "present"))


GOOD = _body(row("a", AS_OF, AS_OF, 5.0))["rows"][0]


@pytest.mark.parametrize(
    ("rows", "location", "message"),
    [
        ([], ["rows"], "at least one"),
        (None, ["rows"], "list of objects"),
        ([GOOD, 1], ["rows", 1], "must be an object"),
        ([GOOD, {**GOOD, "cold": 1}], ["rows", 1], "unknown column; the columns are machine, event_at"),
        ([GOOD, {**GOOD, "machine": None}], ["rows", 1, "machine"], "must not be null"),
        ([{**GOOD, "event_at": None}], ["rows", 0, "event_at"], "must not be null"),
        ([{name: GOOD[name] for name in GOOD if name != "heat"}], ["rows", 0, "heat"], "is required; send null"),
        ([{**GOOD, "heat": "5"}], ["rows", 0, "heat"], "expected a number"),
        ([{**GOOD, "event_at": "2026-01-01T12:00:00"}], ["rows", 0, "event_at"], "with its zone"),
        ([{**GOOD, "parts": {"name": "belt", "counts": [1.5]}}], ["rows", 0, "parts"], "expected an integer"),
        ([{**GOOD, "parts": {"name": "belt"}}], ["rows", 0, "parts"], "with the fields name, counts"),
        ([{**GOOD, "place": "x" * 10_001}], ["rows", 0, "place"], "at most 10000 characters"),
        ([{**GOOD, "known_at": "2026-01-01T11:59:59Z"}], ["rows", 0, "known_at"], "later than when it was known"),
        ([{**GOOD, "event_at": "2026-01-01T12:00:01Z", "known_at": None}], ["rows", 0, "event_at"], "later than when"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_taken(
    standing_home: Path, worker: TestClient, rows: Any, location: list[Any], message: str
) -> None:
    answer = worker.post("/push/machine", json={"rows": rows})
    assert answer.status_code == 422
    (detail,) = answer.json()["detail"]
    assert detail["loc"] == ["body", *location]
    assert message in detail["msg"]
    assert not (standing_home / "events").exists()
    assert _heat(worker, "a") == (1.0, "present")


def test_bounds_and_names(workers: list[TestClient]) -> None:
    one, _ = workers
    rows = [row(f"m{number}", AS_OF, AS_OF, 1.0) for number in range(51)]
    assert one.post("/push/machine", json=_body(*rows)).status_code == 413
    _push(one, *rows[:50])
    full = one.post("/push/machine_v1", json=_body(*rows[:11]))
    assert full.status_code == 503
    assert full.headers["retry-after"]
    assert "dbt run" in full.json()["detail"][0]["msg"]
    assert one.post("/push/machine_v1", json=_body(*rows[:10])).status_code == 200
    assert one.post("/push/other", json=_body(*rows[:1])).status_code == 404


def test_torn_and_foreign_lines_are_passed_over(home: Path, workers: list[TestClient]) -> None:
    one, _ = workers
    event = {"event_id": "0", "logged_at": "2026", "view": "machine", "version": 1, "row": GOOD}
    other_view, other_type = {**event, "version": 9}, {**event, "row": {**GOOD, "heat": "hot"}}
    lines = [json.dumps(one).encode() for one in (other_view, other_type, {**event, "row": {**GOOD, "machine": "z"}})]
    folder = home / "events" / "pushes"
    folder.mkdir(parents=True)
    (folder / "mine.jsonl").write_bytes(b"\n".join([b'{"event_id": "1', b"\xff[]", b"", *lines, b"{"]))
    _await(lambda: _heat(one, "z") == (5.0, "present"))
    skipped = ("eiderdown_torn_lines_total", {"kind": "pushes"})
    assert one.app.state.metrics.registry.get_sample_value(*skipped) == 3  # type: ignore[attr-defined]
    # The last line is whole when its end has come.
    with (folder / "mine.jsonl").open("ab") as file:
        file.write(json.dumps({**event, "row": {**GOOD, "machine": "y"}}).encode()[1:] + b"\n")
    _await(lambda: _heat(one, "y") == (5.0, "present"))
    assert one.app.state.metrics.registry.get_sample_value(*skipped) == 3  # type: ignore[attr-defined]
