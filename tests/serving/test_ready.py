"""Ready means ready: each model has predicted, the server does not end, and what is degraded is said."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.metrics.metrics import Metrics
from serving.metrics.refusals import SECONDS, Refusals
from serving.predictions.predictor import Predictor
from tests.made_up_release import publish


def test_a_model_that_cannot_predict_keeps_its_release_from_serving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("no")

    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    monkeypatch.setattr(Predictor, "predict", fail)
    publish(tmp_path, [])
    with TestClient(create_app(), base_url="http://localhost") as client:
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert "a prediction fails (ZeroDivisionError: no)" in answer.json()["problems"][0]


def test_refusals_are_said_for_some_seconds() -> None:
    metrics = Metrics()
    refusals = Refusals(metrics)
    assert refusals.problem is None
    refusals.add("queue")
    assert "overloaded" in (refusals.problem or "")
    assert metrics.counter("eiderdown_refused", reason="queue").value == 1
    refusals._last -= SECONDS
    assert refusals.problem is None


def test_a_server_that_ends_or_is_overloaded_says_so(standing_client: TestClient) -> None:
    standing_client.app.state.refusals.add("queue")  # type: ignore[attr-defined]
    answer = standing_client.get("/health/ready")
    assert answer.status_code == 200
    assert "overloaded" in answer.json()["problems"][0]
    standing_client.app_state["is_stopping"] = True
    answer = standing_client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["status"] == "not_ready"
    assert "the server ends" in answer.json()["problems"][-1]
