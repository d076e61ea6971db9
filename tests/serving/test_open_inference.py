"""The Open Inference Protocol: the same predictions and the same logged instances as /predict, whatever form the tensors have,
and refusals that say what is wrong."""

import copy
import datetime as dt
import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.open_inference.datatypes import BYTES
from serving.open_inference.outputs import outputs_of, write_answer
from serving.predictions.answered import Answered, MadeBy
from serving.predictions.predictor import Prediction
from serving.settings import Settings
from tests.made_up_release import AS_OF, CLASSES
from tests.open_inference import DTYPES, FIELDS, INFER, MOST, binary, column, made_up_home, post, post_json, texts


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_home(tmp_path_factory.mktemp("home"), "binary")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EIDERDOWN_HOME", str(home))
        with TestClient(create_app(Settings(max_instances=MOST)), raise_server_exceptions=False) as client:
            yield client


def _outputs(answer: Any) -> dict[str, Any]:
    """The values of an answer, read from binary data by the protocol's text where they are that."""
    assert answer.status_code == 200, answer.text
    length = int(answer.headers.get("inference-header-content-length", len(answer.content)))
    start, found = length, {}
    for output in json.loads(answer.content[:length])["outputs"]:
        if "data" in output:
            found[output["name"]] = output["data"]
            continue
        size = output["parameters"]["binary_data_size"]
        data = answer.content[start : start + size]
        start += size
        count = math.prod(output["shape"])
        if output["datatype"] == BYTES:
            texts: list[str] = []
            while data:
                (text_length,) = struct.unpack_from("<I", data)
                texts.append(data[4 : 4 + text_length].decode())
                data = data[4 + text_length :]
            found[output["name"]] = texts
        else:
            found[output["name"]] = np.frombuffer(data, DTYPES[output["datatype"]], count).tolist()
    assert start == len(answer.content)
    return found


def _logged(home: Path) -> Any:
    """The instances of the newest line of the event log."""
    log = next(path for path in (home / "events" / "predictions").iterdir() if path.stat().st_size)
    return json.loads(log.read_text().splitlines()[-1])["instances"]


INSTANCES: list[dict[str, Any]] = [
    {
        "machine": "hot",
        "whole": 2**62 + 1,
        "small": 255,
        "ratio": 0.1,
        "single": 0.5,
        "is_on": True,
        "note": "",
        "price": "123456789012345.678",
        "on_day": "2026-01-02",
        "seen_at": "2026-01-02T03:04:05.678901Z",
        "predicted_at": "2026-01-01T13:00:00Z",
    },
    {
        "machine": "nowhere",
        "whole": -(2**63),
        "small": 0,
        "ratio": None,
        "single": None,
        "is_on": False,
        "note": "ω\n",
        "price": "-0.001",
        "on_day": "1970-01-01",
        "seen_at": "1969-12-31T23:59:59Z",
        "predicted_at": "2026-01-02T13:00:00Z",
    },
]
DATATYPES = {"machine": BYTES, "predicted_at": BYTES} | dict(
    zip(FIELDS, ["INT64", "UINT8", "FP64", "FP32", "BOOL", BYTES, BYTES, BYTES, BYTES], strict=True)
)


def test_json_binary_and_predict_agree_bit_for_bit(client: TestClient, home: Path) -> None:
    predicted = client.post("/predict/stops", json={"instances": INSTANCES})
    predictions, logged = predicted.json()["predictions"], _logged(home)
    columns = {name: [instance[name] for instance in INSTANCES] for name in DATATYPES}
    answers = [post_json(client, *((name, DATATYPES[name], values) for name, values in columns.items()))]
    assert _logged(home) == logged
    tensors = []
    for name, values in columns.items():
        tensors.append(binary(name, DATATYPES[name], len(values), column(values, DATATYPES[name])))
    for binary_data_output in (True, False):
        answers.append(post(client, tensors, parameters={"binary_data_output": binary_data_output}))
        assert _logged(home) == logged
    assert answers[1].headers["content-type"] == "application/octet-stream"
    for answer in answers:
        assert _outputs(answer) == {
            "score": [one["score"] for one in predictions],
            "label": [one["label"] for one in predictions],
            "status": ["ok", "incomplete"],
            "missing": ["[]", '["machine"]'],
        }


def test_what_is_left_out_is_null(client: TestClient, home: Path) -> None:
    assert post_json(client, ("machine", BYTES, ["hot"]), ("note", BYTES, [None])).status_code == 200
    left_out = _logged(home)
    assert client.post("/predict/stops", json={"instances": [{"machine": "hot"}]}).status_code == 200
    assert left_out == _logged(home)


def test_a_column_may_be_nested_and_the_other_datatypes_are_taken_where_they_are_exact(
    client: TestClient, home: Path
) -> None:
    inputs = [
        {"name": "machine", "shape": [2, 1], "datatype": BYTES, "data": [["hot"], ["cold"]]},
        {"name": "whole", "shape": [2, 1], "datatype": "UINT64", "data": [2**63 - 1, None]},
        {"name": "ratio", "shape": [2, 1], "datatype": "FP32", "data": [0.1, 7]},
        {"name": "single", "shape": [2], "datatype": "FP16", "data": [*[[0.1], None][1:], 0.1]},
        {"name": "price", "shape": [2], "datatype": "INT32", "data": [3, -3]},
    ]
    answer = client.post(INFER, json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    names = ["machine", *FIELDS]
    found = [dict(zip(names, values, strict=False)) for values in _logged(home)]
    single = struct.unpack("<f", struct.pack("<f", 0.1))[0]
    half = struct.unpack("<e", struct.pack("<e", 0.1))[0]
    assert [(one["whole"], one["ratio"], one["single"], one["price"]) for one in found] == [
        (2**63 - 1, single, None, "3.000"),
        (None, 7.0, half, "-3.000"),
    ]


def test_outputs_by_name_and_what_comes_with_them(client: TestClient) -> None:
    asked = [{"name": "status", "parameters": {"binary_data": True}}, {"name": "score"}]
    answer = post_json(client, ("machine", BYTES, ["hot"]), outputs=asked, id="mine")
    length = int(answer.headers["inference-header-content-length"])
    body = json.loads(answer.content[:length])
    assert (body["model_name"], body["model_version"], body["id"]) == ("stops", "1", "mine")
    assert body["parameters"]["release"] == client.get("/models").json()["release"]
    assert len(body["parameters"]["request_id"]) == 32
    assert [output["name"] for output in body["outputs"]] == ["status", "score"]
    assert answer.content[length:] == texts("ok")
    # Fed back by the id that the answer names.
    outcome = {"outcomes": [{"request_id": body["parameters"]["request_id"], "outcome": True}]}
    assert client.post("/feedback/stops", json=outcome).status_code < 500


def test_alias_version_and_the_names_in_the_body(client: TestClient) -> None:
    machine = ("machine", BYTES, ["hot"])
    assert post_json(client, machine, parameters={"alias": "champion"}).status_code == 200
    assert post_json(client, machine, model_name="stops", model_version=None, parameters=None).status_code == 200
    assert post_json(client, machine, parameters={"timeout": 10**400, "priority": 3}).status_code == 200
    missing = post_json(client, machine, parameters={"alias": "nobody"})
    assert (missing.status_code, missing.json()) == (
        404,
        {"error": "alias: no such alias of stops; the aliases are champion"},
    )
    assert post_json(client, machine, parameters={"timeout": 1}).status_code in (200, 408)
    inputs = [{"name": "machine", "shape": [1], "datatype": BYTES, "data": ["hot"]}]
    for version, status in {"1": 200, "2": 404, "one": 404, "٣": 404, "9" * 5000: 404, "-1": 404}.items():
        assert client.post(f"/v2/models/stops/versions/{version}/infer", json={"inputs": inputs}).status_code == status
    both = client.post(
        "/v2/models/stops/versions/1/infer", json={"inputs": inputs, "parameters": {"alias": "champion"}}
    )
    assert both.status_code == 400


def test_metadata_is_what_is_taken_and_given(client: TestClient) -> None:
    metadata = client.get("/v2/models/stops").json()
    assert metadata == client.get("/v2/models/stops/versions/1").json()
    assert {tensor["name"]: tensor["datatype"] for tensor in metadata["inputs"]} == DATATYPES
    assert [tensor["name"] for tensor in metadata["inputs"] if tensor["parameters"]["required"]] == ["machine"]
    given = post_json(client, ("machine", BYTES, ["hot"])).json()["outputs"]
    assert [(one["name"], one["datatype"]) for one in metadata["outputs"]] == [
        (one["name"], one["datatype"]) for one in given
    ]
    configuration = client.get("/v2/models/stops/config").json()
    assert [one["name"] for one in configuration["output"]] == [one["name"] for one in given]
    assert client.get("/v2").json()["name"] == "eiderdown"
    for place in ("/v2/health/live", "/v2/health/ready", "/v2/models/stops/ready", "/v2/models/stops/versions/1/ready"):
        assert client.get(place).status_code == 200
    assert client.get("/v2/models/other/ready").status_code == 404
    assert client.post("/v2/repository/index").json() == [
        {"name": "stops", "version": "1", "state": "READY", "reason": ""}
    ]


def test_statistics_count_requests_and_rows(client: TestClient) -> None:
    def counts() -> tuple[int, int]:
        (found,) = client.get("/v2/models/stops/versions/1/stats").json()["model_stats"]
        return found["inference_stats"]["success"]["count"], found["inference_count"]

    requests, rows = counts()
    assert post_json(client, ("machine", BYTES, ["hot", "cold", "hot"])).status_code == 200
    assert counts() == (requests + 1, rows + 3)
    assert client.get("/v2/models/stats").json()["model_stats"][0]["inference_count"] == rows + 3


@pytest.mark.parametrize(
    ("task", "shape"), [("multiclass", [2, len(CLASSES)]), ("regression", [2])], ids=["classes", "a number"]
)
def test_other_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, shape: list[int]) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(made_up_home(tmp_path, task)))
    with TestClient(create_app(Settings())) as client:
        predictions = client.post(
            "/predict/stops", json={"instances": [{"machine": "hot"}, {"machine": "cold"}]}
        ).json()["predictions"]
        answer = post_json(client, ("machine", BYTES, ["hot", "cold"]), parameters={"binary_data_output": True})
        found = _outputs(answer)
        parameters = client.get("/v2/models/stops").json()["parameters"]
    scores = [one["score"] for one in predictions]
    if task == "multiclass":
        assert json.loads(parameters["classes"]) == CLASSES
        assert found["score"] == [score[name] for score in scores for name in CLASSES]
        assert found["label"] == [one["label"] for one in predictions]
    else:
        assert found["score"] == scores
        assert "label" not in found
    header = json.loads(answer.content[: int(answer.headers["inference-header-content-length"])])
    assert header["outputs"][0]["shape"] == shape


def test_an_experiment_says_which_arm_and_who_was_absent(client: TestClient) -> None:
    experiment = copy.copy(client.app.state.current.release.target("stops"))  # type: ignore[attr-defined]
    experiment.version = None
    outputs = outputs_of(experiment)
    predictions = [Prediction(0.25, False, [], [], math.inf), Prediction(math.nan, False, [], [], math.inf)]
    answered = Answered("stops", None, "r", "id", [], predictions, b"", 2, experiment="truth")
    answered.made_by = [MadeBy("control", "stops", 1), MadeBy("treatment", "stops", 2)]
    body = json.loads(write_answer(answered, outputs, {"score": False, "arm": False}, None)[0])
    assert body["parameters"] == {"request_id": "id", "release": "r", "experiment": "truth"}
    assert "model_version" not in body
    assert [output["data"] for output in body["outputs"]] == [[0.25, None], ["control", "treatment"]]
    answered.made_by, answered.absent = None, ["slow"]
    body = json.loads(write_answer(answered, outputs, {"arm": False}, None)[0])
    assert body["outputs"][0]["data"] == ["", ""]
    assert json.loads(body["parameters"]["absent"]) == ["slow"]


def test_before_the_first_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    with TestClient(create_app(Settings())) as client:
        assert client.get("/v2/health/live").status_code == 200
        assert (client.get("/v2/health/ready").status_code, client.get("/v2/health/ready").json()) == (
            503,
            {"ready": False},
        )
        assert client.get("/v2/models/stops").json().keys() == {"error"}


def test_as_of_and_the_time_of_a_request(client: TestClient) -> None:
    early = (AS_OF - dt.timedelta(days=1)).isoformat()
    answer = post_json(client, ("machine", BYTES, ["hot"]), ("predicted_at", BYTES, [early]))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("input predicted_at, row 0: lies before the release's as_of")
