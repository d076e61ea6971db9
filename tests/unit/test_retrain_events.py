"""Which decision to retrain a model still has to follow: each is followed once."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from ml.events import read_events, write_event
from ml.training.retrain import EVENT, asked_since

CREATED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    return tmp_path


def ask(version: int, hours: float, model: str = "late") -> str:
    event: dict[str, Any] = {"model": model, "version": version, "reason": "drift", "decided_by": "ada"}
    return str(write_event("retrain", event, CREATED + hours * HOUR)["event_id"])


def test_a_decision_is_followed_once() -> None:
    assert asked_since("late", 1, CREATED) is None
    ask(1, 1)
    last = ask(1, 2)
    found = asked_since("late", 1, CREATED)
    assert found is not None
    assert (found.event_id, found.reason, found.decided_by) == (last, "drift", "ada")
    # The version that followed from it, and one that was brought over meanwhile.
    assert asked_since("late", 2, CREATED + 3 * HOUR) is None
    assert asked_since("late", 2, CREATED - 3 * HOUR) is None
    assert asked_since("other", 1, CREATED) is None


def test_a_warehouse_that_is_built_anew_follows_no_old_decision() -> None:
    ask(1, 1)
    assert asked_since("late", 1, CREATED + 2 * HOUR) is None


def test_a_line_that_is_no_event_is_passed_over(home: Path) -> None:
    ask(1, 1)
    folder = home / "events" / "retrain"
    lines = (
        '{"torn',
        "null",
        "[]",
        '{"event_id": "a", "logged_at": "2026-01-02T00:00:00"}',
        '{"event_id": 1, "logged_at": "2026-01-02T00:00:00Z"}',
    )
    (folder / "x.jsonl").write_text("\n".join(lines))
    (folder / ".aside-1-1-y.jsonl").write_text("{}")
    assert len(read_events("retrain", EVENT)) == 1
