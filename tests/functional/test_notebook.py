"""In a notebook a model scores to the bits of the batch and of HTTP, from frames of every kind."""

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

import eiderdown
from eiderdown.demonstration import tour
from ml.errors import ContractError, DeclarationError, ReleaseError
from ml.field_types import encode
from serving.app import create_app
from serving.settings import Settings
from tests.conftest import Project

UPCOMING = "select * from predictions.flight_delay_upcoming order by flight_id"


@pytest.fixture(autouse=True)
def _home(built: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(built.home))


@pytest.fixture(scope="module")
def upcoming(built: Project) -> pa.Table:
    with duckdb.connect(str(built.database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(UPCOMING).to_arrow_table()


def test_features_in_a_frame_score_as_the_batch(built: Project, upcoming: pa.Table) -> None:
    model = eiderdown.model("flight_delay@champion")
    connection = duckdb.connect()
    batch = np.array(built.query("select score from predictions.flight_delay order by row_id"))[:, 0]
    frames: list[Any] = [
        upcoming,
        upcoming.to_pandas(),
        upcoming.to_pandas(types_mapper=pd.ArrowDtype),
        connection.from_arrow(upcoming),
    ]
    for frame in frames:
        scores = model.predict(frame)
        assert scores.dtype == np.float64
        np.testing.assert_array_equal(scores, batch)
    assert model.predict(upcoming.slice(0, 0)).shape == (0,)


def test_a_request_is_looked_up_as_over_http(upcoming: pa.Table) -> None:
    model = eiderdown.model("flight_delay")
    fields = [field.name for field in model.signature.request]
    request = upcoming.select(fields)
    instances = [{name: encode(value) for name, value in row.items()} for row in request.to_pylist()]
    # No event is written: the fixture is shared.
    app = create_app(Settings(poll_seconds=0.05, max_instances=1000))
    with TestClient(app) as client:
        app.state.events.append = lambda content, count: None
        answer = client.post("/predict/flight_delay", json={"instances": instances, "explain": True}).json()
    for frame in (request, request.to_pandas(), pd.DataFrame(instances)):
        np.testing.assert_array_equal(model.predict(frame), [one["score"] for one in answer["predictions"]])
    explained = model.explain(request).to_pylist()
    assert [row.pop("base_value") for row in explained] == [one["explanation"]["base"] for one in answer["predictions"]]
    assert explained == [one["explanation"]["contributions"] for one in answer["predictions"]]
    assert model.predict(request.slice(0, 0)).shape == (0,)


def test_what_is_missing_is_named(upcoming: pa.Table) -> None:
    model = eiderdown.model("flight_delay")
    with pytest.raises(
        ContractError, match=r"lacks the features .*pressure.*fields flight, dest, sched_dep_at, distance"
    ):
        model.predict(upcoming.select(["carrier", "origin"]))
    request = pd.DataFrame([tour.INSTANCE])
    for changed, said in (
        ({"distance": ["far"]}, r"'distance' is .* must be INTEGER"),
        ({"distance": [1.5]}, r"'distance' is double and must be INTEGER"),
        ({"carrier": [None]}, r"row 0 'carrier' must not be null"),
        ({"sched_dep_at": pd.to_datetime(["2013-12-31"])}, r"'sched_dep_at'.* say of which time zone"),
        ({"predicted_at": ["2012-01-01T00:00:00Z"]}, r"row 0 'predicted_at' lies before the release's as_of"),
    ):
        with pytest.raises(ContractError, match=said):
            model.predict(request.assign(**changed))
    with pytest.raises(ContractError, match="a int is no frame"):
        model.predict(3)
    with pytest.raises(DeclarationError, match="no version or alias '9'"):
        eiderdown.model("flight_delay@9")


def test_the_model_says_what_it_is() -> None:
    model = eiderdown.model("flight_delay_schedule@1")
    assert (model.name, model.version) == ("flight_delay_schedule", 1)
    assert model.features == ["carrier", "origin", "dest", "distance", "local_hour", "weekday"]
    assert {"auc", "log_loss"} <= set(model.metrics().column("metric").to_pylist())
    assert "<model flight_delay@1, binary by lightgbm>" in map(repr, eiderdown.models())


def test_stored_features_are_those_of_the_release() -> None:
    with eiderdown.connect() as connection:
        stored = connection.sql("select * from features.plane_activity_v2 order by tailnum limit 3").to_arrow_table()
    keys = [*stored.column("tailnum").to_pylist(), "none such"]
    found = eiderdown.features("plane_activity", pd.DataFrame({"tailnum": keys}))
    status = found.column("plane_activity_v2_status").to_pylist()
    assert status[-1] == "not_found"
    assert set(status[:-1]) <= {"present", "expired"}
    assert found.slice(0, 3).column("event_at").equals(stored.column("event_at"))
    for place, one in enumerate(status[:-1]):
        expected = stored.column("airport")[place].as_py() if one == "present" else None
        assert found.column("airport")[place].as_py() == expected
    with pytest.raises(ContractError, match="lacks tailnum"):
        eiderdown.features("plane_activity", pa.table({"plane": keys}))
    with pytest.raises(DeclarationError, match="computed from the request"):
        eiderdown.features("departure", pa.table({"tailnum": keys}))


def test_a_version_that_the_release_does_not_carry_needs_its_features(upcoming: pa.Table) -> None:
    model = eiderdown.model("flight_delay")
    model.version = 7
    with pytest.raises(ReleaseError, match=r"does not carry .* it carries the versions 1"):
        model.predict(pd.DataFrame([tour.INSTANCE]))
    assert len(model.predict(upcoming)) == upcoming.num_rows
