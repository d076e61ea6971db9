"""What `make run` shows once the warehouse is built."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
from rich.console import Console
from rich.table import Table

import eiderdown
from ml.errors import EiderdownError

INSTANCE = {
    "tailnum": "N529JB",
    "carrier": "B6",
    "flight": 1701,
    "origin": "JFK",
    "dest": "FLL",
    "sched_dep_at": "2013-12-31T14:00:00Z",
    "distance": 1069,
}
SECONDS_TO_START = 60

NEXT = """
[bold]Three things to try next[/bold]

  [cyan]SQL[/cyan]      .venv/bin/eiderdown sql "select tailnum, airport, mean_arrival_delay from features.plane_activity_v2 \\
             order by mean_arrival_delay desc limit 5"

  [cyan]serve[/cyan]    make serve                    (documentation of the interface: http://127.0.0.1:8000/docs)

  [cyan]curl[/cyan]     curl -s http://127.0.0.1:8000/predict/flight_delay -H 'content-type: application/json' \\
             -d '{body}'
"""


def take(console: Console) -> None:
    """Show the models' quality, one prediction over HTTP, and what to try next."""
    _show_quality(console)
    with server() as (url, _), httpx.Client(base_url=url) as client:
        answer = client.post("/predict/flight_delay", json={"instances": [INSTANCE]})
        answer.raise_for_status()
    console.print("\n[bold]One prediction over HTTP[/bold], two hours before a real flight that came 24 minutes late\n")
    console.print(f"  POST /predict/flight_delay  {json.dumps(INSTANCE)}", highlight=False, soft_wrap=True)
    console.print_json(answer.text)
    missing = answer.json()["predictions"][0].get("missing")
    if missing:
        console.print(
            f"  'incomplete': {', '.join(missing)} held nothing current (the weather file ends the day before)."
        )
    console.print(NEXT.replace("{body}", json.dumps({"instances": [INSTANCE]})), highlight=False, soft_wrap=True)


def _show_quality(console: Console) -> None:
    query = """
        select model, version, metric, value
        from registry.model_metrics
        inner join registry.current_aliases using (model, version)
        where alias = 'champion' and split = 'test' and slice = 'all'
            and metric in ('auc', 'log_loss', 'brier', 'f1')
    """
    with eiderdown.connect() as connection:
        rows = connection.execute(query).fetchall()
    if "flight_delay" not in {row[0] for row in rows}:
        raise EiderdownError(
            "the tour is the demonstration's, and the release has no model flight_delay; run `dbt build`."
        )
    metrics = ["auc", "log_loss", "brier", "f1"]
    table = Table(
        "model", "version", *metrics, title="Quality on November and December, trained on January to September"
    )
    for model, version in sorted({row[:2] for row in rows}):
        values = {row[2]: row[3] for row in rows if row[:2] == (model, version)}
        table.add_row(model, str(version), *(f"{values[metric]:.4f}" for metric in metrics))
    console.print(table)


@contextmanager
def server(environment: Mapping[str, str] = os.environ) -> Iterator[tuple[str, subprocess.Popen]]:
    """A server of its own for as long as the context lasts: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "serving.app:create_app", "--factory", "--port", str(port)]
    command += ["--http", "serving.process.http_protocol:LimitedProtocol", "--ws", "none", "--no-server-header"]
    with subprocess.Popen([*command, "--no-access-log", "--log-level", "warning"], env=environment) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            _await_ready(server, url)
            yield url, server
        finally:
            server.terminate()


def _await_ready(server: subprocess.Popen, url: str) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{url}/health/ready").status_code == 200:
                return
        except httpx.ConnectError:
            pass
        time.sleep(0.1)
    raise EiderdownError("the server did not become ready; start it with `make serve` to see why.")
