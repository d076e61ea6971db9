"""`dbt build` in a process of its own."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml import files

LINES = 20


@dataclass(frozen=True)
class Built:
    """How a build ended. text: what failed, where something did. is_busy: another process held the warehouse."""

    is_success: bool
    text: str
    is_busy: bool = False


def dbt(*arguments: str) -> Built:
    """Run dbt in the current folder, to its end; what it prints is kept in `watch/dbt.log` of the home folder.

    It has a session of its own, so that a signal to the watch leaves it to end.
    """
    log = files.home() / "watch" / "dbt.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    results = Path("target") / "run_results.json"
    results.unlink(missing_ok=True)
    with log.open("wb") as output:
        ended = subprocess.run(
            [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--no-use-colors", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
        )
    if ended.returncode == 0:
        return Built(True, "")
    # Without colors and times, so that one failure has one text.
    said = re.sub(r"(?m)\x1b\[[\d;]*m|^(\x1b\[[\d;]*m)?\d\d:\d\d:\d\d +", "", log.read_text(errors="replace"))
    text = _failures(results) or "\n".join(said.strip().splitlines()[-LINES:]) or f"dbt ended with {ended.returncode}"
    return Built(False, text, is_busy="Could not set lock on file" in said)


def read_manifest() -> dict[str, Any]:
    """The project as dbt read it last."""
    manifest: dict[str, Any] = json.loads((Path("target") / "manifest.json").read_text())
    return manifest


def _failures(results: Path) -> str:
    """Which models and tests failed, and the first line that says why."""
    if not results.is_file():
        return ""
    failed = [
        node
        for node in json.loads(results.read_text())["results"]
        if node["status"] in ("error", "fail", "runtime error")
    ]
    said = [f"{node['unique_id']}: {' '.join((node['message'] or node['status']).split())[:500]}" for node in failed]
    return "\n".join(said[:LINES])
