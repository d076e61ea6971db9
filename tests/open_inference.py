"""What the tests of the Open Inference Protocol share: a home to serve, and bodies by the protocol's text, without our code."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from ml.scoring.signature import RequestField
from tests.made_up_release import AS_OF, HOUR, publish, row

INFER = "/v2/models/stops/infer"
MOST = 50
"""Rows of a request, where the tests serve."""
DTYPES = {
    "BOOL": np.dtype("?"),
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
"""How numpy holds the protocol's datatypes of a fixed size."""
FIELDS = {
    "whole": "BIGINT",
    "small": "UTINYINT",
    "ratio": "DOUBLE",
    "single": "FLOAT",
    "is_on": "BOOLEAN",
    "note": "VARCHAR",
    "price": "DECIMAL(18,3)",
    "on_day": "DATE",
    "seen_at": "TIMESTAMP WITH TIME ZONE",
}


def made_up_home(folder: Path, task: str) -> Path:
    """A home in a folder, with a release whose model takes every type of field."""
    (folder / "releases").mkdir()
    rows = [row(machine, AS_OF - HOUR, AS_OF - HOUR, heat) for machine, heat in (("hot", 2.0), ("cold", -2.0))]
    publish(folder, rows, fields=[RequestField(name, kind, required=False) for name, kind in FIELDS.items()], task=task)
    return folder


def texts(*values: str | bytes) -> bytes:
    """A tensor of BYTES by the protocol's text, without our code."""
    parts = [value.encode() if isinstance(value, str) else value for value in values]
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def column(values: list[Any], datatype: str) -> bytes:
    """A tensor in binary form."""
    return texts(*values) if datatype == "BYTES" else np.array(values, DTYPES[datatype]).tobytes()


def binary(name: str, datatype: str, rows: int, data: bytes) -> tuple[dict[str, Any], bytes]:
    """An input in binary form, and its data."""
    parameters = {"binary_data_size": len(data)}
    return {"name": name, "shape": [rows], "datatype": datatype, "parameters": parameters}, data


def post(client: TestClient, tensors: list[tuple[dict[str, Any], bytes]], **more: Any) -> Any:
    """The answer to inputs in binary form."""
    header = json.dumps({"inputs": [tensor for tensor, _ in tensors], **more}).encode()
    body = header + b"".join(data for _, data in tensors)
    return client.post(INFER, content=body, headers={"inference-header-content-length": str(len(header))})


def post_json(client: TestClient, *tensors: tuple[str, str, list[Any]], **more: Any) -> Any:
    """The answer to inputs in JSON: name, datatype and data of each."""
    inputs = [{"name": name, "shape": [len(data)], "datatype": kind, "data": data} for name, kind, data in tensors]
    return client.post(INFER, json={"inputs": inputs, **more})
