"""How soon every worker answers with the other version after `eiderdown rollback`, under load: printed, never asserted.

Works on a copy of the home folder that `make run` builds, in which it trains a second version of a model first.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from rich.console import Console
from rich.table import Table

from eiderdown.demonstration import tour
from ml import files
from tests.conftest import copy_project

MODEL = "flight_delay_schedule"
WORKERS, CONNECTIONS, ROUNDS = 2, 8, 5


class Asker(threading.Thread):
    """Asks on one connection, as often as it is answered. answers: (time, status, version)."""

    def __init__(self, port: int, body: str) -> None:
        super().__init__(daemon=True)
        self._connection, self._body = HTTPConnection("127.0.0.1", port), body
        self.answers: list[tuple[float, int, int]] = []
        self.stop = False

    def run(self) -> None:
        while not self.stop:
            self._connection.request("POST", f"/predict/{MODEL}", self._body, {"content-type": "application/json"})
            answer = self._connection.getresponse()
            version = json.loads(answer.read()).get("version", 0)
            self.answers.append((time.perf_counter(), answer.status, version))


def _command(*arguments: str) -> float:
    """Run a command of the platform. Returns its seconds."""
    start = time.perf_counter()
    code = "from eiderdown.cli import app; app()"
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _second_version(folder: Path) -> None:
    """Copy the project and its home, and train another version of the model."""
    project = copy_project(folder)
    shutil.copytree(files.home(), project.home, ignore=shutil.ignore_patterns("benchmarks", "events"))
    declared = project.folder / "models" / "training" / "_training.yml"
    declared.write_text(
        declared.read_text().replace("parameters: {metric: auc}", "parameters: {metric: auc, num_leaves: 15}")
    )
    project.dbt("run", "-s", f"{MODEL}+")
    os.environ["EIDERDOWN_HOME"] = str(project.home)


def _measure(command: tuple[str, ...], askers: list[Asker], version: int) -> tuple[float, float]:
    """Seconds of a decision, and from its end to the last connection's first answer with a version."""
    seconds = _command(*command)
    ended = time.perf_counter()
    while any(asker.answers[-1][2] != version for asker in askers):
        time.sleep(0.005)
    last_others = [max(at for at, _, answered in asker.answers if answered != version) for asker in askers]
    return seconds, max(0.0, max(last_others) - ended)


def main() -> None:
    """Print one table."""
    instance = json.dumps({"instances": [tour.INSTANCE]})
    with tempfile.TemporaryDirectory() as folder:
        _second_version(Path(folder) / "project")
        _command("promote", MODEL, "2")
        serve = ("serve", "--port", "0", "--workers", str(WORKERS))
        command = [sys.executable, "-uc", "from eiderdown.cli import app; app()", *serve]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline().rpartition(":")[2])
            askers = [Asker(port, instance) for _ in range(CONNECTIONS)]
            for asker in askers:
                asker.start()
            while not all(asker.answers for asker in askers):
                time.sleep(0.1)
            decisions: list[tuple[float, float]] = []
            for _ in range(ROUNDS):
                decisions.append(_measure(("rollback", MODEL, "--to", "1"), askers, 1))
                decisions.append(_measure(("promote", MODEL, "2"), askers, 2))
            for asker in askers:
                asker.stop = True
                asker.join()
            server.terminate()
        answers = [answer for asker in askers for answer in asker.answers]
        failed = sum(status != 200 for _, status, _ in answers)
    table = Table("decisions", "command", "until every connection", "longest", "answers", "failed")
    commands, waits = zip(*decisions, strict=True)
    table.add_row(
        *(str(len(decisions)), f"{statistics.median(commands):.2f} s", f"{statistics.median(waits):.2f} s"),
        *(f"{max(waits):.2f} s", f"{len(answers):,}", str(failed)),
    )
    Console().print(table)


if __name__ == "__main__":
    main()
