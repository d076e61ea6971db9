"""What the form of a request costs: /predict beside the Open Inference Protocol in JSON and as binary data, 1 row and 1000.

One server process without a cache, one connection, the forms in turn, bodies made before. The made-up model reads a stored
feature; its request has eleven fields of all types.
"""

import datetime as dt
import json
import os
import re
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from eiderdown.demonstration import tour
from tests.made_up_release import AS_OF
from tests.open_inference import FIELDS, INFER, column, made_up_home

SECONDS = 6.0
"""Of each number of rows."""
DATATYPES = {"machine": "BYTES", "predicted_at": "BYTES"} | dict(
    zip(FIELDS, ["INT64", "UINT8", "FP64", "FP32", "BOOL", "BYTES", "BYTES", "BYTES", "BYTES"], strict=True)
)

Form = tuple[str, bytes, dict[str, str]]
"""Path, body and headers of a request."""
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")


def _columns(rows: int) -> dict[str, list[Any]]:
    moments = [(AS_OF + dt.timedelta(minutes=place)).isoformat() for place in range(rows)]
    return {
        "machine": [("hot", "cold", "nowhere")[place % 3] for place in range(rows)],
        "whole": [2**53 + place for place in range(rows)],
        "small": [place % 200 for place in range(rows)],
        "ratio": [place / 7 for place in range(rows)],
        "single": [place / 8 for place in range(rows)],
        "is_on": [place % 2 == 0 for place in range(rows)],
        "note": [f"note {place}" for place in range(rows)],
        "price": [f"{place}.125" for place in range(rows)],
        "on_day": ["2026-01-02"] * rows,
        "seen_at": moments,
        "predicted_at": moments,
    }


def _predict(columns: dict[str, list[Any]]) -> Form:
    instances = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return "/predict/stops", json.dumps({"instances": instances}).encode(), {}


def _infer_json(columns: dict[str, list[Any]]) -> Form:
    inputs = [
        {"name": name, "shape": [len(values)], "datatype": DATATYPES[name], "data": values}
        for name, values in columns.items()
    ]
    return INFER, json.dumps({"inputs": inputs}).encode(), {}


def _infer_binary(columns: dict[str, list[Any]]) -> Form:
    inputs, parts = [], []
    for name, values in columns.items():
        datatype = DATATYPES[name]
        parts.append(column(values, datatype))
        parameters = {"binary_data_size": len(parts[-1])}
        inputs.append({"name": name, "shape": [len(values)], "datatype": datatype, "parameters": parameters})
    header = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return INFER, header + b"".join(parts), {"inference-header-content-length": str(len(header))}


FORMS: dict[str, Callable[[dict[str, list[Any]]], Form]] = {
    "/predict": _predict,
    "infer, JSON": _infer_json,
    "infer, binary": _infer_binary,
}


def _ask(connection: socket.socket, form: Form) -> bytes:
    """The body of the answer to a request, which goes out in one piece. Raises RuntimeError where it is refused."""
    path, body, headers = form
    lines = [f"POST {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    answer = connection.recv(1 << 20)
    found = _LENGTH.search(answer)
    if not answer.startswith(b"HTTP/1.1 200 ") or found is None:
        raise RuntimeError(answer[:400].decode())
    head = answer.index(b"\r\n\r\n") + 4
    while len(answer) < head + int(found[1]):
        answer += connection.recv(1 << 20)
    return answer[head:]


def _measure(address: tuple[str, int], rows: int) -> dict[str, tuple[list[float], int, int]]:
    """The milliseconds of each request, and the bytes there and back, of each form."""
    columns = _columns(rows)
    forms = {name: make(columns) for name, make in FORMS.items()}
    times: dict[str, list[float]] = {name: [] for name in forms}
    with socket.create_connection(address) as connection:
        got = {name: len(_ask(connection, form)) for name, form in forms.items()}
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            for name, form in forms.items():
                start = time.perf_counter()
                _ask(connection, form)
                times[name].append((time.perf_counter() - start) * 1000)
    return {name: (times[name], len(form[1]), got[name]) for name, form in forms.items()}


def main() -> None:
    """Print the table."""
    table = Table(
        "rows", "form", "p50 ms", "p99 ms", "bytes sent", "bytes got", "requests", title="The form of a request"
    )
    with tempfile.TemporaryDirectory() as folder:
        home = made_up_home(Path(folder), "binary")
        with tour.server(os.environ | {"EIDERDOWN_HOME": str(home), "EIDERDOWN_CACHE_ROWS": "0"}) as (url, _):
            host, _, port = url.removeprefix("http://").partition(":")
            for rows in (1, 1000):
                for name, (times, sent, got) in _measure((host, int(port)), rows).items():
                    half, most = statistics.median(times), statistics.quantiles(times, n=100)[98]
                    table.add_row(str(rows), name, f"{half:.3f}", f"{most:.3f}", str(sent), str(got), str(len(times)))
    Console().print(table)


if __name__ == "__main__":
    main()
