"""tritonclient's HTTP client, unchanged and in an environment of its own, against the running server."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from eiderdown.demonstration import tour
from tests.environments import environment, pins
from tests.open_inference import made_up_home

CLIENTS = Path(__file__).parent / "clients"
INSTANCES = [
    {"machine": "hot", "whole": 2**62 + 1, "ratio": 0.1, "is_on": True, "price": "0.125", "note": ""},
    {"machine": "cold", "whole": -(2**63), "ratio": -1e300, "is_on": False, "price": "-3.000", "note": "ω"},
    {"machine": "nowhere", "whole": 0, "ratio": 5e-324, "is_on": True, "price": "0.000", "note": "a\nb"},
]
DATATYPES = {"machine": "BYTES", "whole": "INT64", "ratio": "FP64", "is_on": "BOOL", "price": "BYTES", "note": "BYTES"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_home(tmp_path_factory.mktemp("home"), "binary")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("EIDERDOWN_HOME", str(home))
        with tour.server() as (url, _):
            yield url


@pytest.fixture(scope="module")
def found(server: str) -> Any:
    """What the client got."""
    python = environment("triton", *pins(CLIENTS / "triton.txt"))
    columns = {name: [datatype, [one[name] for one in INSTANCES]] for name, datatype in DATATYPES.items()}
    run = subprocess.run(
        [python, "-I", CLIENTS / "triton_client.py", server.removeprefix("http://"), "stops"],
        input=json.dumps(columns),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_answers_are_those_of_predict_bit_for_bit(server: str, home: Path, found: Any) -> None:
    predictions = httpx.post(f"{server}/predict/stops", json={"instances": INSTANCES}).json()["predictions"]
    expected = {name: [one[name] for one in predictions] for name in ("score", "label", "status")}
    expected["missing"] = ["[]", "[]", '["machine"]']
    both = {name: expected[name] for name in ("score", "status")}
    assert found["answers"] == {
        "json to binary": expected,
        "binary to binary": expected,
        "json to both": both,
        "binary to both": both,
    }
    assert found["later"] == [[f"number {place}", expected] for place in range(8)]
    assert found["id"] == "mine"
    lines = [
        json.loads(line)["instances"]
        for path in (home / "events" / "predictions").iterdir()
        for line in path.read_text().splitlines()
    ]
    assert len(lines) == 1 + 4 + 8
    assert all(line == lines[0] for line in lines)


def test_health_metadata_and_statistics(found: Any) -> None:
    assert found["live"] is found["ready"] is True
    assert (found["model_ready"], found["not_ready"]) == ([True, True], [False, False])
    assert "binary_tensor_data" in found["server"]["extensions"]
    assert found["metadata"]["versions"] == ["1"]
    datatypes = {tensor["name"]: tensor["datatype"] for tensor in found["metadata"]["inputs"]}
    assert datatypes.items() >= DATATYPES.items()
    assert found["configuration"]["max_batch_size"] == 0
    assert found["index"] == [{"name": "stops", "version": "1", "state": "READY", "reason": ""}]
    (of_the_model,) = found["statistics"]["model_stats"]
    assert of_the_model["inference_stats"]["success"]["count"] == 4 + 8
    assert of_the_model["inference_count"] == (4 + 8) * len(INSTANCES)
    assert found["statistics of all"]["model_stats"] == [of_the_model]


def test_what_is_refused_says_why(found: Any) -> None:
    statuses = [404, 400, 415, 400, 404, 404, 404, 404, 404, 404]
    assert [status for status, _ in found["refusals"]] == [str(status) for status in statuses]
    reasons = ["models are stops", "input machine: is required", "content encoding", "requests are independent"]
    reasons += ["`dbt build`"] * 2 + ["shared memory is not supported"] * 2 + ["trace settings", "log settings"]
    assert [reason in message for (_, message), reason in zip(found["refusals"], reasons, strict=True)] == [True] * 10
