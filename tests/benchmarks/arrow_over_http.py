"""Big batches over HTTP: Arrow beside JSON in requests of 1,000, and beside `predict()` in SQL; and who waits for them.

Against the demonstration as it is built in EIDERDOWN_HOME, whose event log is left alone: the server has a copy. Rows are
flights at random minutes, so look-ups, request-time features, scores, the event log and the answer are all paid for; SQL
scores features that are there already. The second table is of single rows in JSON, one after the other, while a client sends
batches of 100,000 rows in Arrow, and without.
"""

import argparse
import http.client
import io
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import duckdb
import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

import eiderdown
from eiderdown.demonstration import tour
from ml import files
from serving.requests.arrow_stream import ARROW

PATH = "/predict/flight_delay"
AT_A_TIME = 1000
BESIDE = 100_000


class Client:
    """A connection that is kept alive."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)

    def post(self, body: bytes, kind: str) -> bytes:
        """Raises AssertionError where the answer is none."""
        self._connection.request("POST", PATH, body, {"content-type": kind})
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content[:500]
        return content


class Process(NamedTuple):
    """What a server process took: seconds of processors, and the most memory in MB."""

    seconds: float
    megabytes: float


def of_process(pid: int) -> Process:
    """What it took up to now."""
    text = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return Process((int(text[11]) + int(text[12])) / 100, int(peak.split()[1]) / 1e3)


def flights(raw: Path, rows: int) -> pa.Table:
    """Flights, in another order each time they are through, at a minute of the day after the release."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'; select setseed(0.5)").fetchall()
        return connection.sql(
            f"""
            select
                tailnum, carrier, flight::int as flight, origin, dest, distance::int as distance,
                timestamptz '2013-12-31 12:00:00+00' + to_minutes(floor(random() * 600)::int) as sched_dep_at
            from read_csv('{raw / "flights.csv"}', nullstr = 'NA'), range({rows // 336_776 + 1})
            order by random() limit {rows}
            """
        ).to_arrow_table()


def arrow(table: pa.Table) -> bytes:
    """A table as a stream."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def instances(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as JSON has them."""
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        row["sched_dep_at"] = row["sched_dep_at"].isoformat()
    return rows


def measured(pid: int, ask: Callable[[], object], rows: int) -> list[str]:
    """The cells of a contender."""
    before, start = of_process(pid), time.perf_counter()
    ask()
    seconds, after = time.perf_counter() - start, of_process(pid)
    processor = max(after.seconds - before.seconds, 0.01)
    return [f"{rows:,}", f"{rows / seconds:,.0f}", f"{rows / processor:,.0f}", f"{after.megabytes:,.0f}"]


def latencies(url: str, bodies: list[bytes]) -> list[str]:
    """Milliseconds of single rows, one after the other: p50, p99 and the most."""
    client, found = Client(url), []
    for body in bodies:
        start = time.perf_counter()
        client.post(body, "application/json")
        found.append(1000 * (time.perf_counter() - start))
    return [
        f"{len(found):,}",
        f"{statistics.median(found):.2f}",
        f"{np.percentile(found, 99):.2f}",
        f"{max(found):.2f}",
    ]


@contextmanager
def sending(url: str, body: bytes) -> Any:
    """A client that sends a body again and again, in a thread."""
    stop = threading.Event()

    def send() -> None:
        client = Client(url)
        while not stop.is_set():
            client.post(body, ARROW)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def in_sql(rows: int) -> list[str]:
    """The cells of predict() over the dataset's features."""
    with eiderdown.connect() as connection:
        source = f"(from datasets.flight_delay_v1 limit {rows})"
        connection.execute(f"create temp table rows as from {source}")
        connection.execute("select predict('flight_delay', rows) from (from rows limit 1) as rows").fetchall()
        start, before = time.perf_counter(), time.process_time()
        [[count]] = connection.execute("select count(predict('flight_delay', rows)) from rows").fetchall()
        seconds, processor = time.perf_counter() - start, time.process_time() - before
    return [f"{count:,}", f"{count / seconds:,.0f}", f"{count / processor:,.0f}", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 10_000, 1_000_000])
    parser.add_argument("--json-rows", type=int, default=20_000)
    parser.add_argument("--singles", type=int, default=3000)
    options = parser.parse_args()
    table = flights(files.home() / "raw", max(*options.rows, BESIDE, options.json_rows, options.singles))
    rates = Table("", "rows", "rows/s", "rows per second of processor", "server's peak MB", title="Batches")
    tails = Table("", "requests", "p50 ms", "p99 ms", "most ms", title="Single rows in JSON")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(files.home() / "releases", home / "releases", symlinks=True)
        with tour.server(environment(home)) as (url, server):
            client = Client(url)
            bodies = [json.dumps({"instances": [row]}).encode() for row in instances(table.slice(0, options.singles))]
            tails.add_row("alone", *latencies(url, bodies))
            rows = instances(table.slice(0, options.json_rows))
            many = [
                json.dumps({"instances": rows[start : start + AT_A_TIME]}).encode()
                for start in range(0, len(rows), AT_A_TIME)
            ]
            by_json = measured(server.pid, lambda: [client.post(body, "application/json") for body in many], len(rows))
            rates.add_row(f"JSON, {AT_A_TIME:,} at a time", *by_json)
            for count in options.rows:
                body = arrow(table.slice(0, count))
                rates.add_row("Arrow", *measured(server.pid, lambda body=body: client.post(body, ARROW), count))
            with sending(url, arrow(table.slice(0, BESIDE))):
                tails.add_row(f"beside {BESIDE:,} rows in Arrow", *latencies(url, bodies[::-1]))
    rates.add_row("predict() in SQL, of features", *in_sql(200_000))
    console = Console()
    console.print(rates)
    console.print(tails)


def environment(home: Path) -> dict[str, str]:
    """Of a server over a home, which keeps no predictions: a single row is to be scored each time."""
    return {
        **os.environ,
        "EIDERDOWN_HOME": str(home),
        "EIDERDOWN_CACHE_ROWS": "0",
        "EIDERDOWN_MAX_ARROW_SECONDS": "600",
    }


if __name__ == "__main__":
    main()
