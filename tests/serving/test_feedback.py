"""Outcomes: what is taken by a model's task, and what is kept of it."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ml.scoring.signature import Signature
from serving.app import create_app
from serving.events.outcomes import Outcomes
from serving.problems import Problem
from serving.settings import Settings
from tests import made_up_release
from tests.made_up_release import AS_OF, row

ID = "0123456789abcdef" * 2


def test_an_outcome_is_kept_and_is_one_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    made_up_release.publish(tmp_path, [row("a", AS_OF, AS_OF, 1.0)])
    with TestClient(create_app(Settings(max_instances=2))) as client:
        request = client.post("/predict/stops", json={"instances": [{"machine": "a"}]}).json()["request_id"]
        first = {"request_id": request, "outcome": True}
        other = {"request_id": ID, "instance": 1, "outcome": False, "observed_at": "2026-01-02T00:00:00+01:00"}
        for outcomes in ([first, other], [{**first, "instance": 0}], [{**first, "outcome": False}]):
            answer = client.post("/feedback/stops", json={"outcomes": outcomes})
            assert answer.status_code == 200
            assert answer.json() == {"model": "stops", "accepted": len(outcomes)}
        assert client.post("/feedback/other", json={"outcomes": [first]}).status_code == 404
        assert client.post("/feedback/stops", json={"outcomes": [first] * 3}).status_code == 413
        assert client.post("/feedback/stops", json={"outcomes": [first, {}]}).status_code == 422
    (path,) = (tmp_path / "events" / "feedback").iterdir()
    events = [json.loads(line) for line in path.read_bytes().splitlines()]
    ids = [event.pop("event_id") for event in events]
    assert ids[0] == ids[2]
    assert len(set(ids)) == 3
    assert all(event.pop("logged_at").endswith("Z") for event in events)
    assert events[:2] == [
        {
            "model": "stops",
            "request_id": request,
            "instance": 0,
            "outcome": True,
            "observed_at": "2026-01-01T12:00:00Z",
        },
        {"model": "stops", "request_id": ID, "instance": 1, "outcome": False, "observed_at": "2026-01-01T23:00:00Z"},
    ]


def _outcomes(task: str, *classes: list[str]) -> Outcomes:
    return Outcomes([Signature("at", [], [], [], [], task, names, None) for names in classes or [[]]])


@pytest.mark.parametrize(
    ("outcomes", "sent", "expected"),
    [
        (_outcomes("binary"), False, False),
        (_outcomes("binary"), 1, "true or false"),
        (_outcomes("regression"), 5, 5.0),
        (_outcomes("regression"), True, "expected a number"),
        (_outcomes("regression"), None, "must not be null"),
        (_outcomes("multiclass", ["x", "y"], ["y", "z"]), "x", "x"),
        (_outcomes("multiclass", ["x", "y"], ["y", "z"]), "w", "one of the classes x, y, z"),
    ],
)
def test_an_outcome_is_of_its_task(outcomes: Outcomes, sent: Any, expected: Any) -> None:
    body = [{"request_id": ID, "outcome": sent}]
    if isinstance(expected, str) and sent != expected:
        with pytest.raises(Problem, match=expected) as refused:
            outcomes.check(body, 1, AS_OF)
        assert refused.value.location == ("outcomes", 0, "outcome")
    else:
        (found,) = outcomes.check(body, 1, AS_OF)
        assert found == (ID, 0, expected, AS_OF)
        assert type(found.outcome) is type(expected)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("request_id", value) for value in (None, 5, "x" * 32, ID.upper(), ID + "0", ID + "\n")),
        *(("instance", value) for value in (-1, True, 0.5, 2**32, "0")),
        *(("observed_at", value) for value in ("2026-01-01", 5, "2026-01-01T00:00:00")),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    body = [{"request_id": ID, "outcome": True, field: value}]
    with pytest.raises(Problem) as refused:
        _outcomes("binary").check(body, 1, dt.datetime.now(dt.UTC))
    assert refused.value.status == 422
    assert refused.value.location == ("outcomes", 0, field)
