"""A disk that is full: predictions are answered and counted, what is to be kept is refused, and nothing is left torn in
between.
"""

import asyncio
import json
import os
import re
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ml.field_types import encode
from serving.app import create_app
from serving.events import event_file
from serving.events.durable_log import DurableLog
from serving.events.event_file import EventFile
from serving.events.event_log import EventLog
from serving.metrics.metrics import Metrics
from serving.problems import Problem
from tests import made_up_release
from tests.made_up_release import AS_OF, row

NAME = re.compile(r"\d{8}T\d{6}-[0-9a-f]{32}\.jsonl")


class Disk:
    """A limit on the size of files, which makes writes fall short as a full disk does."""

    def __init__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, self._before[1]))

    def make_room(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@pytest.fixture
def disk() -> Iterator[Disk]:
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    disk = Disk()
    yield disk
    disk.make_room()
    signal.signal(signal.SIGXFSZ, handler)


def _line(name: str) -> bytes:
    return json.dumps({"event_id": name, "padding": "x" * 60}).encode() + b"\n"


def _whole(folder: Path) -> list[str]:
    """The events in a folder's files; what is torn is passed over."""
    found = []
    for path in sorted(folder.iterdir()):
        assert NAME.fullmatch(path.name)
        for line in path.read_bytes().split(b"\n"):
            try:
                found.append(json.loads(line)["event_id"])
            except ValueError:
                continue
    return found


def test_predictions_go_on_without_their_log(tmp_path: Path, disk: Disk) -> None:
    metrics = Metrics()
    log = EventLog(tmp_path, metrics)
    disk.fill()
    for number in range(4):
        log.append(_line(f"before-{number}"), 1)
    assert log.problem is not None
    failures = metrics.registry.get_sample_value("eiderdown_event_failures_total", {"kind": tmp_path.name})
    assert failures == 2
    disk.make_room()
    log.append(_line("after"), 1)
    assert log.problem is None
    log.close()
    assert _whole(tmp_path) == ["before-0", "before-1", "after"]


def test_what_is_to_be_kept_is_refused(tmp_path: Path, disk: Disk) -> None:
    metrics = Metrics()

    async def fill() -> None:
        log = DurableLog(tmp_path, metrics)
        disk.fill()
        for number in range(2):
            await log.append(_line(f"before-{number}"), 1)
        for number in range(2):
            with pytest.raises(Problem, match="nothing was kept") as refused:
                await log.append(_line(f"refused-{number}"), 1)
            assert refused.value.status == 503
            assert refused.value.headers["retry-after"] == "1"
        assert log.problem is not None
        disk.make_room()
        await log.append(_line("after"), 1)
        assert log.problem is None
        await log.close()

    asyncio.run(fill())
    assert _whole(tmp_path) == ["before-0", "before-1", "after"]
    assert metrics.registry.get_sample_value("eiderdown_event_failures_total", {"kind": tmp_path.name}) == 2


def test_a_server_says_that_its_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    made_up_release.publish(tmp_path, [])
    pushed = {name: encode(value) for name, value in row("a", AS_OF, AS_OF, 1.0).items()}
    asked = {
        "/push/machine": {"rows": [pushed]},
        "/feedback/stops": {"outcomes": [{"request_id": "0" * 32, "outcome": True}]},
        "/predict/stops": {"instances": [{"machine": "a"}]},
    }

    def ask() -> list[int]:
        return [client.post(path, json=body).status_code for path, body in asked.items()]

    with TestClient(create_app()) as client:
        disk.fill()
        answers = [ask() for _ in range(3)]
        ready = client.get("/health/ready")
        disk.make_room()
        assert answers[-1] == [503, 503, 200]
        assert ready.status_code == 200
        said = sorted(problem.partition("/events/")[2].partition(":")[0] for problem in ready.json()["problems"])
        assert said == ["feedback", "predictions", "pushes"]
        assert ask() == [200, 200, 200]
        assert client.get("/health/ready").json()["problems"] == []
    for kind in ("pushes", "feedback", "predictions"):
        (path,) = (tmp_path / "events" / kind).iterdir()
        assert json.loads(path.read_bytes().splitlines()[-1])


def test_all_that_wait_share_one_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(descriptor) or real(descriptor))

    async def append() -> None:
        log = DurableLog(tmp_path, Metrics())
        await asyncio.gather(*(log.append(_line(str(number)), 1) for number in range(100)))
        await log.close()

    asyncio.run(append())
    assert sorted(_whole(tmp_path), key=int) == [str(number) for number in range(100)]
    # The first to come may go alone; the names of the file and of its folders are kept too.
    assert len(synced) <= 5


def test_a_file_that_was_not_synced_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    async def append() -> None:
        log = DurableLog(tmp_path, Metrics())
        await log.append(_line("kept"), 1)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", fail)
            with pytest.raises(Problem, match="Input/output error"):
                await log.append(_line("refused"), 1)
        await log.append(_line("after"), 1)
        await log.close()

    asyncio.run(append())
    assert len(list(tmp_path.iterdir())) == 2
    assert {"kept", "after"} <= set(_whole(tmp_path))


def test_a_new_file_each_day_and_past_the_greatest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_767_225_599.0
    monkeypatch.setattr(event_file.time, "time", lambda: now)
    monkeypatch.setattr(event_file, "MAX_BYTES", 210)
    file = EventFile(tmp_path)
    for name in ("first", "second"):
        file.write(_line(name))
    now += 1
    for name in ("third", "a", "b"):
        file.write(_line(name))
    file.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name[:15] for name in names] == ["20251231T235959", *["20260101T000000"] * 2]
    assert sorted(_whole(tmp_path)) == ["a", "b", "first", "second", "third"]


def test_each_process_has_a_file_of_its_own(tmp_path: Path) -> None:
    logs = [EventLog(tmp_path, Metrics()) for _ in range(3)]
    assert list(tmp_path.iterdir()) == []
    for log in logs:
        log.append(_line("one"), 1)
    assert len({log.path for log in logs}) == 3
    for log in logs:
        log.close()
