"""Requests of the Open Inference Protocol that are refused: each says what is wrong, and none is a 5xx or an echo."""

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.app import create_app
from serving.open_inference.datatypes import BYTES, NUMBERS
from serving.settings import Settings
from tests.open_inference import INFER, MOST, binary, made_up_home, post, texts


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_home(tmp_path_factory.mktemp("home"), "binary")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EIDERDOWN_HOME", str(home))
        with TestClient(create_app(Settings(max_instances=MOST)), raise_server_exceptions=False) as client:
            yield client


SECRET = "do-not-echo"
MACHINE = {"name": "machine", "shape": [1], "datatype": BYTES, "data": ["hot"]}
WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "no inputs": ({"inputs": []}, 400, "the inputs are machine, whole"),
    "inputs no list": ({"inputs": {SECRET: 1}}, 400, "inputs: expected a list"),
    "an input that is none": ({"inputs": [SECRET]}, 400, "inputs.0: must be an object"),
    "an unknown input": ({"inputs": [MACHINE | {"name": SECRET}]}, 400, "inputs.0: has no name that the model knows"),
    "a name that is none": ({"inputs": [MACHINE | {"name": [SECRET]}]}, 400, "inputs.0: has no name"),
    "an input twice": ({"inputs": [MACHINE, MACHINE]}, 400, "inputs.1: has the name of one before it"),
    "an unknown field": ({"inputs": [MACHINE | {SECRET: 1}]}, 400, "inputs.0: has an unknown field"),
    "none that is required": (
        {"inputs": [{"name": "whole", "shape": [1], "datatype": "INT8", "data": [1]}]},
        400,
        "input machine: is required",
    ),
    "a wrong datatype": ({"inputs": [MACHINE | {"datatype": "FP32"}]}, 400, "input machine: datatype must be BYTES"),
    "no datatype": ({"inputs": [MACHINE | {"datatype": [SECRET]}]}, 400, "input machine: datatype must be BYTES"),
    "two columns": ({"inputs": [MACHINE | {"shape": [1, 2]}]}, 400, "input machine: shape must be [rows]"),
    "no rows": ({"inputs": [MACHINE | {"shape": [0], "data": []}]}, 400, "input machine: shape must be [rows]"),
    "a shape of booleans": ({"inputs": [MACHINE | {"shape": [True]}]}, 400, "input machine: shape must be [rows]"),
    "too many rows": ({"inputs": [MACHINE | {"shape": [2**63]}]}, 413, f"input machine: at most {MOST} rows"),
    "fewer data": ({"inputs": [MACHINE | {"shape": [2]}]}, 400, "as many elements as the shape says, 2"),
    "data no list": ({"inputs": [MACHINE | {"data": SECRET}]}, 400, "input machine: data must be a list"),
    "other rows": (
        {"inputs": [MACHINE, {"name": "whole", "shape": [2], "datatype": "INT64", "data": [1, 2]}]},
        400,
        "input whole: has 2 rows, and the inputs before it 1",
    ),
    "past the datatype": (
        {"inputs": [MACHINE, {"name": "whole", "shape": [1], "datatype": "INT8", "data": [128]}]},
        400,
        "input whole, row 0: expected an integer of INT8, from -128 to 127",
    ),
    "past the field": (
        {"inputs": [MACHINE, {"name": "small", "shape": [1], "datatype": "INT16", "data": [256]}]},
        400,
        "input small, row 0: expected an integer from 0 to 255",
    ),
    "infinite in the datatype": (
        {"inputs": [MACHINE, {"name": "ratio", "shape": [1], "datatype": "FP16", "data": [1e300]}]},
        400,
        "input ratio, row 0: expected a number that FP16 can hold",
    ),
    "past a double": (
        {"inputs": [MACHINE, {"name": "ratio", "shape": [1], "datatype": "FP32", "data": [10**400]}]},
        400,
        "input ratio, row 0: expected a number that FP32 can hold",
    ),
    "no text of a time": (
        {"inputs": [MACHINE, {"name": "seen_at", "shape": [1], "datatype": BYTES, "data": [SECRET]}]},
        400,
        "input seen_at, row 0: expected a time with its zone",
    ),
    "no boolean": (
        {"inputs": [MACHINE, {"name": "is_on", "shape": [1], "datatype": "BOOL", "data": [1]}]},
        400,
        "input is_on, row 0: expected true or false",
    ),
    "null where it must not be": (
        {"inputs": [MACHINE | {"data": [None]}]},
        400,
        "input machine, row 0: must not be null",
    ),
    "an unknown output": ({"inputs": [MACHINE], "outputs": [{"name": SECRET}]}, 400, "it knows score, label"),
    "classification": (
        {"inputs": [MACHINE], "outputs": [{"name": "score", "parameters": {"classification": 2}}]},
        400,
        "classification is not supported",
    ),
    "shared memory": (
        {"inputs": [{**MACHINE, "parameters": {"shared_memory_region": SECRET}}]},
        400,
        "shared memory is not supported",
    ),
    "a sequence": ({"inputs": [MACHINE], "parameters": {"sequence_id": 3}}, 400, "requests are independent"),
    "a long id": ({"inputs": [MACHINE], "id": SECRET * 100}, 400, "id: expected at most 128 characters"),
    "another model": ({"inputs": [MACHINE], "model_name": SECRET}, 400, "model_name: is not the model of the path"),
    "an unknown field of the body": ({"inputs": [MACHINE], SECRET: 1}, 400, "1 unknown field(s)"),
    "data and binary data": (
        {"inputs": [MACHINE | {"parameters": {"binary_data_size": 0}}]},
        400,
        "input machine: has data as JSON and binary_data_size",
    ),
}


@pytest.mark.parametrize(("body", "status", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(client: TestClient, body: dict[str, Any], status: int, message: str) -> None:
    answer = client.post(INFER, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error"}
    assert message in answer.json()["error"]
    assert SECRET not in answer.text


GOOD = texts("hot", "cold")
WRONG_BINARY: dict[str, tuple[dict[str, Any], bytes, str]] = {
    "trailing bytes": ({}, GOOD + b"x", "more binary data than"),
    "too short": ({}, GOOD[:-1], "binary_data_size is more than"),
    "negative": ({"parameters": {"binary_data_size": -1}}, GOOD, "or less than none"),
    "huge": ({"parameters": {"binary_data_size": 2**63}}, GOOD, "binary_data_size is more than"),
    "no number": ({"parameters": {"binary_data_size": "12"}}, GOOD, "expected a whole number"),
    "a length that lies": ({}, b"\xff\xff\xff\xff" + GOOD[4:], "row 0: the binary data end before its last byte"),
    "no second length": (
        {"parameters": {"binary_data_size": 9}},
        GOOD[:9],
        "row 1: the binary data end before its length",
    ),
    "another element": ({"shape": [1]}, GOOD, "the binary data go on after 1 elements"),
    "no UTF-8": ({}, GOOD[:-1] + b"\xff", "row 1: expected UTF-8"),
    "another datatype": ({"name": "whole", "datatype": "INT64"}, GOOD, "2 elements of INT64 take 16 bytes"),
    "no boolean": ({"name": "is_on", "datatype": "BOOL", "shape": [15]}, GOOD, "row 0: expected a byte 0 or 1"),
}


@pytest.mark.parametrize(("change", "data", "message"), WRONG_BINARY.values(), ids=WRONG_BINARY)
def test_binary_data_are_what_they_say(client: TestClient, change: dict[str, Any], data: bytes, message: str) -> None:
    tensor, _ = binary("machine", BYTES, 2, GOOD)
    answer = post(client, [(tensor | change, data)])
    assert (answer.status_code, answer.json().keys()) == (400, {"error"})
    assert message in answer.json()["error"]


@pytest.mark.parametrize("length", ["-1", "1e3", "", "99999999", "9" * 40, "0", "5", "٣"])
def test_a_header_length_that_lies(client: TestClient, length: str) -> None:
    body = json.dumps({"inputs": [MACHINE]}).encode()
    header = {"inference-header-content-length": length.encode()}
    answer = client.post(INFER, content=body, headers=header)
    assert (answer.status_code, answer.json().keys()) == (400, {"error"})
    twice = [("inference-header-content-length", str(len(body)))] * 2
    assert client.post(INFER, content=body, headers=twice).status_code == 400
    assert client.post(INFER, content=body, headers=twice[:1]).status_code == 200


def test_all_errors_have_the_shape_of_the_protocol(client: TestClient) -> None:
    for answer, status in (
        (client.get("/v2/nothing"), 404),
        (client.delete("/v2/models/stops"), 405),
        (client.post("/v2/repository/models/stops/load"), 404),
        (client.post("/v2/systemsharedmemory/region/a/register"), 404),
        (client.post(INFER, content=b"{", headers={"content-type": "application/json"}), 400),
        (client.post(INFER, content=b'{"a": 1, "a": 1}'), 400),
        (client.post(INFER, content=b"[]"), 400),
        (client.post(INFER, content=b"", headers={"content-encoding": "gzip"}), 415),
        (client.post(INFER, content=b" " * (Settings.max_body_bytes + 1)), 413),
        (client.post(INFER, json={"inputs": [MACHINE]}, headers={"x-timeout-ms": "no"}), 400),
        (client.post("/v2/models/none/infer", json={"inputs": [MACHINE]}), 404),
        (client.get("/v2/models/stops", headers={"host": "other.example"}), 421),
        (client.get("/v2/models/stops", headers={"origin": "https://other.example"}), 403),
    ):
        assert answer.status_code == status
        assert answer.json().keys() == {"error"}
    assert client.get("/nothing").json().keys() == {"detail"}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_nothing_but_refusals_comes_of_torn_bodies(client: TestClient, data: st.DataObject) -> None:
    """A good body with numbers of the header exchanged, bytes exchanged, and an end cut off or added."""
    numbers = st.sampled_from(
        [-1, 0, 1, 2, 3, 11, 16, 255, 2**31, 2**32, 2**63, 2**64, 10**30, 0.5, None, True, "2", [2]]
    )
    tensors = [
        binary("machine", BYTES, 2, GOOD),
        binary("whole", "INT64", 2, struct.pack("<2q", 1, 2**62)),
        binary("ratio", "FP32", 2, struct.pack("<2f", math.nan, 1.5)),
    ]
    for tensor, _ in data.draw(st.lists(st.sampled_from(tensors), max_size=2)):
        change = data.draw(st.sampled_from(["shape", "size", "datatype", "name", "data"]))
        if change == "shape":
            tensor["shape"] = data.draw(st.lists(numbers, max_size=3))
        elif change == "size":
            tensor["parameters"] = {"binary_data_size": data.draw(numbers)}
        elif change == "data":
            tensor["data"] = data.draw(st.lists(numbers, max_size=3))
            tensor.pop("parameters", None)
        else:
            tensor[change] = data.draw(st.sampled_from([*NUMBERS, BYTES, "machine", "whole", None, "BF16"]))
    body = bytearray(b"".join(part for _, part in tensors))
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        body[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.sampled_from([len(body), len(body), len(body) - 1, 12, 0]))
    header = json.dumps({"inputs": [tensor for tensor, _ in tensors]}).encode()
    length = len(header) + data.draw(st.sampled_from([0, 0, 0, -1, 1, 10**6]))
    content = header + bytes(body[:end]) + data.draw(st.sampled_from([b"", b"", b"\x00", b"\xff" * 8]))
    answer = client.post(INFER, content=content, headers={"inference-header-content-length": str(length)})
    assert answer.status_code in (200, 400, 413), answer.text
    if answer.status_code != 200:
        assert answer.json().keys() == {"error"}
