"""The servers that are measured beside ours, each with the body that asks it for the same work."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tests.benchmarks.http_serving import bodies
from tests.benchmarks.http_serving.home import KEPT, VIEWS, Home
from tests.benchmarks.http_serving.servers import Server, free_port, running
from tests.environments import environment

PEERS = {
    "feast": ["feast==0.67.0"],
    "mlflow": ["mlflow==3.17.2", "lightgbm==4.7.0"],
    "litserve": ["litserve==0.2.19", "lightgbm==4.7.0"],
}
FEAST_ACCOUNTS = 10_000
"""Feast writes its online store for minutes; fewer rows are in its favour."""
FEATURES = [f"narrow_{place:02}" for place in range(VIEWS["narrow"])]
_SCRIPTS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Contender:
    """How to start a server, where it is asked, and with which file of bodies."""

    start: Callable[[], AbstractContextManager[Server]]
    path: str
    bodies: Path


def programs(peer: str) -> Path:
    """The folder of the programs of an environment with a peer's packages."""
    return environment(peer, *PEERS[peer]).parent


def echoes(folder: Path) -> dict[str, Contender]:
    """uvicorn's and FastAPI's own, given the body that ours is given."""
    file = bodies.predictions(folder / "echo", 10_000)

    def started(application: str, path: str) -> AbstractContextManager[Server]:
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "--app-dir", _SCRIPTS, f"echo:{application}", "--port", str(port)]
        speed = ["--no-access-log", "--loop", "uvloop", "--http", "httptools"]
        return running([*command, *speed], port, path, "{}", {})

    return {
        "uvicorn echo, plain ASGI": Contender(lambda: started("plain", "/"), "/", file),
        "FastAPI echo, bytes": Contender(lambda: started("app", "/body"), "/body", file),
        "FastAPI echo, body: dict": Contender(lambda: started("app", "/json"), "/json", file),
    }


def feast(home: Home, folder: Path) -> Contender:
    """Look-up alone, of the same features of one account a request."""
    rows = KEPT / "feast" / f"{home.releases[0]}.parquet"
    rows.parent.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(["account", "event_at", *FEATURES])
    _query(home, f"copy (select {columns} from narrow where account < {FEAST_ACCOUNTS}) to '{rows}'")
    wanted = [f"narrow:{feature}" for feature in FEATURES]
    file = folder / "feast"
    accounts = (json.loads(line)["instances"][0]["account"] for line in _drawn(folder))
    file.write_text(
        "".join(json.dumps({"features": wanted, "entities": {"account": [one]}}) + "\n" for one in accounts)
    )

    def start() -> AbstractContextManager[Server]:
        port = free_port()
        store = KEPT / "feast" / home.releases[0]
        command = [
            programs("feast") / "python",
            "-W",
            "ignore",
            _SCRIPTS / "feast_server.py",
            store,
            rows,
            str(port),
        ]
        return running(command, port, "/get-online-features", _first(file), {"FEAST_USAGE": "False"})

    return Contender(start, "/get-online-features", file)


def mlflow(home: Home, folder: Path) -> Contender:
    """Prediction alone by `mlflow models serve`, given the features."""
    file, model = matrices(home, folder), KEPT / "mlflow" / home.releases[0]

    def start() -> AbstractContextManager[Server]:
        folder, port = programs("mlflow"), free_port()
        save = "import sys, lightgbm, mlflow.lightgbm as m; m.save_model(lightgbm.Booster(model_file=sys.argv[1]), sys.argv[2])"
        if not model.exists():
            command = [folder / "python", "-W", "ignore", "-c", save, home.artifact("quick"), model]
            subprocess.run(command, check=True, capture_output=True)
        command = [folder / "mlflow", "models", "serve", "-m", model, "-p", str(port), "--env-manager", "local"]
        settings = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}
        return running([*command, "--workers", "1"], port, "/invocations", _first(file), settings)

    return Contender(start, "/invocations", file)


def litserve(home: Home, folder: Path) -> Contender:
    """Prediction alone by LitServe, given the features."""
    file = matrices(home, folder)

    def start() -> AbstractContextManager[Server]:
        port = free_port()
        command = [
            programs("litserve") / "python",
            _SCRIPTS / "litserve_server.py",
            home.artifact("quick"),
            str(port),
        ]
        return running(command, port, "/predict", _first(file), {})

    return Contender(start, "/predict", file)


def matrices(home: Home, folder: Path) -> Path:
    """Bodies with the features of the accounts that feast() asks for, in the same order."""
    file = folder / "matrices"
    values = {row[0]: row[1:] for row in _query(home, f"select account, {', '.join(FEATURES)} from narrow")}
    accounts = (json.loads(line)["instances"][0]["account"] for line in _drawn(folder))
    file.write_text("".join(json.dumps({"inputs": [values[account]]}) + "\n" for account in accounts))
    return file


def _drawn(folder: Path) -> list[str]:
    return bodies.predictions(folder / "drawn", FEAST_ACCOUNTS, accounts=FEAST_ACCOUNTS).read_text().splitlines()


def _first(file: Path) -> str:
    with file.open() as lines:
        return lines.readline()


def _query(home: Home, query: str) -> list[tuple]:
    """Of the first release, where `narrow` is the feature view's rows."""
    with duckdb.connect() as connection:
        connection.execute(
            f"attach '{home.folder / 'releases' / home.releases[0] / 'release.duckdb'}' as r (read_only)"
        )
        connection.execute("create view narrow as from r.features.narrow_v1")
        return connection.execute(query).fetchall()
