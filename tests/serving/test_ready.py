"""Ready means ready: each model has predicted, the server does not end, and what is degraded is said."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient

from ml.errors import ReleaseError
from ml.scoring.signature import RequestField
from serving.metrics import Metrics
from serving.problems import Problem
from serving.refusals import SECONDS, Refusals
from serving.release import Release
from serving.warm_up import warm_up

TYPES = ("BIGINT", "DOUBLE", "DECIMAL(9,2)", "VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")


def _release(error: Exception | None, asked: list[Any]) -> Release:
    """A release with one model, of which only what a warm-up uses is there."""

    def predict(instances: Any, most: int, now: Any) -> None:
        asked.extend(instances)
        if error:
            raise error

    fields = [RequestField(kind, kind, required=True) for kind in TYPES] + [
        RequestField("other", "DATE", required=False)
    ]
    signature, released = SimpleNamespace(request=fields), SimpleNamespace(name="m_v1")
    predictor = SimpleNamespace(signature=signature, released=released, predict=predict)
    return cast(Release, SimpleNamespace(predictors={("m", 1): predictor}, now=lambda: None))


def test_a_model_that_cannot_predict_keeps_its_release_from_serving() -> None:
    with pytest.raises(ReleaseError, match="m_v1: the release loads, but a prediction fails"):
        warm_up(_release(ZeroDivisionError(), []))


def test_a_made_up_instance_has_a_value_of_each_required_type_and_may_be_refused() -> None:
    asked: list[Any] = []
    warm_up(_release(Problem(422, "no"), asked))
    assert asked[0].keys() == set(TYPES)
    assert None not in asked[0].values()


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
