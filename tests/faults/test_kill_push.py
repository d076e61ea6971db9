"""`kill -9` of a server that is sent pushed rows and outcomes: what was acknowledged is in the files, whole, and is served."""

import json
import os
import random
import signal
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from eiderdown.demonstration import tour
from ml.field_types import encode
from tests import made_up_release
from tests.made_up_release import AS_OF, row

KILLS = int(os.environ.get("EIDERDOWN_KILLS", "2"))


def _rows(names: list[str]) -> tuple[str, dict[str, Any]]:
    rows = [{key: encode(value) for key, value in row(name, AS_OF, AS_OF, 5.0).items()} for name in names]
    return "/push/machine", {"rows": rows}


def _outcomes(names: list[str]) -> tuple[str, dict[str, Any]]:
    return "/feedback/stops", {"outcomes": [{"request_id": name, "outcome": True} for name in names]}


def _send(
    url: str,
    make: Callable[[list[str]], tuple[str, dict[str, Any]]],
    acknowledged: set[str],
    answers: threading.Semaphore,
) -> None:
    """Send requests of twenty events until the server is gone."""
    with httpx.Client(base_url=url, timeout=60) as client:
        while True:
            names = [uuid.uuid4().hex for _ in range(20)]
            path, body = make(names)
            try:
                answer = client.post(path, json=body)
            except httpx.HTTPError:
                return
            assert answer.status_code == 200
            acknowledged.update(names)
            answers.release()


def _logged(folder: Path) -> Counter[str]:
    """How often each row and outcome is in the files of a folder; what is torn is passed over."""
    found: Counter[str] = Counter()
    for path in folder.iterdir():
        for line in path.read_bytes().splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            found[event["row"]["machine"] if "row" in event else event["request_id"]] += 1
    return found


def test_nothing_acknowledged_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    made_up_release.publish(tmp_path, [row("a", AS_OF, AS_OF, 1.0)])
    chance = random.Random(3)
    rows: set[str] = set()
    outcomes: set[str] = set()
    for _ in range(KILLS):
        answers = threading.Semaphore(0)
        with tour.server() as (url, server):
            senders = [
                threading.Thread(target=_send, args=(url, make, acknowledged, answers))
                for make, acknowledged in ((_rows, rows), (_outcomes, outcomes))
                for _ in range(3)
            ]
            for sender in senders:
                sender.start()
            for _ in range(chance.randrange(5, 60)):
                answers.acquire()
            server.send_signal(signal.SIGKILL)
            for sender in senders:
                sender.join()
    pushed = _logged(tmp_path / "events" / "pushes")
    assert {name: pushed[name] for name in rows} == dict.fromkeys(rows, 1)
    told = _logged(tmp_path / "events" / "feedback")
    assert {name: told[name] for name in outcomes} == dict.fromkeys(outcomes, 1)
    wanted = sorted(rows)[:500]
    with tour.server() as (url, _):
        answer = httpx.post(
            f"{url}/features/machine", json={"keys": [{"machine": name} for name in wanted]}, timeout=60
        )
    assert [found["features"]["heat"]["value"] for found in answer.json()["rows"]] == [5.0] * len(wanted)
