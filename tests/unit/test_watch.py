"""The rounds of a watch over a made-up project: what is built when, and a kill between any two steps."""

import contextlib
import datetime as dt
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eiderdown.cli import app
from ml import files
from ml.alerts.state import BUILD, read_alerts
from ml.events import read_events
from ml.training.retrain import EVENT, asked_since
from ml.watching.build import Built, dbt
from ml.watching.lock import watch_lock
from ml.watching.watch import Watch
from tests.conftest import REPOSITORY

CREATED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Killed(BaseException):
    """The process ends here."""


class MadeUpProject:
    """Stands for dbt: two sources, and a model that is trained anew when an event says so, and is old from its first build on.

    A build fails while orders.csv says so. What it leaves are the files that monitoring.retraining leaves.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.version, self.created_at = 1, CREATED
        self.asked: list[list[str]] = []
        self.is_busy = False
        for kind in ("builds", "retrain"):
            (home / "events" / kind).mkdir(parents=True)
            (home / "events" / kind / "none.jsonl").touch()
        self.write("orders", "1")
        self.write("clock", "1")
        # Of a run before; the rounds go on from it.
        self.leave("keep")

    def write(self, name: str, text: str) -> None:
        path = self.home / "raw" / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def leave(self, decision: str) -> None:
        row = {"model": "late", "version": self.version, "created_at": str(self.created_at), "decision": decision}
        content = json.dumps([row | {"reasons": [], "text": "it is old"}]).encode()
        (self.home / "alerts").mkdir(exist_ok=True)
        (self.home / "alerts" / "retraining.json").write_bytes(content)

    def manifest(self) -> dict[str, Any]:
        sources = [
            ("p", "raw", "orders", f"read_csv('{self.home}/raw/orders.csv', nullstr = 'it''s')"),
            ("p", "raw", "clock", f"read_csv('{self.home}/raw/clock.csv')"),
            ("e", "events", "builds", f"read_json('{self.home}/events/builds/[!.]*.jsonl', format = 'auto')"),
            ("p", "raw", "table", '"warehouse"."raw"."table"'),
        ]
        names = ("package_name", "source_name", "name", "relation_name")
        node = {"name": "late_model", "alias": "late", "config": {"meta": {"model": {}}}}
        return {
            "sources": {str(place): dict(zip(names, one, strict=True)) for place, one in enumerate(sources)},
            "nodes": {"late": node},
        }

    def dbt(self, command: str, *arguments: str) -> Built:
        if command == "parse":
            return Built(True, "")
        self.asked.append(sorted(arguments[1:]))
        if self.is_busy:
            return Built(False, "Could not set lock", is_busy=True)
        if (self.home / "raw" / "orders.csv").read_text() == "broken":
            return Built(False, "orders broke")
        if asked_since("late", self.version, self.created_at):
            self.version, self.created_at = self.version + 1, dt.datetime.now(dt.UTC)
        self.leave("retrain" if self.version == 1 else "keep")
        return Built(True, "")

    def watch(self, **settings: Any) -> Watch:
        return Watch(self.dbt, self.manifest, lambda _: None, **settings)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUpProject:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    monkeypatch.delenv("EIDERDOWN_ALERT_WEBHOOK", raising=False)
    return MadeUpProject(tmp_path)


def until_idle(watch: Watch) -> list[str]:
    states = []
    while not states or states[-1] == "built":
        states.append(watch.round().state)
    return states


def test_what_is_new_is_built_and_no_more(project: MadeUpProject) -> None:
    watch = project.watch()
    assert until_idle(watch) == ["built", "built", "idle"]
    assert project.asked == [[], ["late_model+"]]
    assert project.version == 2
    [event] = read_events("retrain", EVENT)
    assert (event["version"], event["reason"], event["decided_by"]) == (1, "it is old", "monitoring.retraining")
    project.write("clock", "22")
    assert until_idle(project.watch()) == ["built", "idle"]
    assert project.asked[2:] == [["source:p.raw.clock+"]]
    project.write("clock", "22")
    project.write("orders", "22")
    assert until_idle(watch) == ["built", "idle"]
    assert project.asked[3:] == [["source:p.raw.clock+", "source:p.raw.orders+"]]
    # Time alone: all of it.
    assert project.watch(whole_every=0).round().state == "built"
    assert project.asked[4:] == [[]]


def test_a_build_that_fails_is_an_alert_and_is_mended(project: MadeUpProject) -> None:
    watch = project.watch()
    until_idle(watch)
    project.write("orders", "broken")
    project.asked.clear()
    failed = watch.round()
    assert (failed.state, failed.text, failed.delivered[0].count) == ("failed", "orders broke", 1)
    [alert] = read_alerts().alerts
    assert (alert["status"], alert["text"]) == ("open", "orders broke")
    assert [watch.round().state for _ in range(3)] == ["waiting"] * 3
    assert len(project.asked) == 1
    # Once more after a while, in another process, and it is the same alert.
    assert project.watch(every=0).round().state == "failed"
    assert [one["alert"] for one in read_alerts().alerts] == [alert["alert"]]
    assert len(read_events("builds", BUILD)) == 1
    # Something else that is new is tried at once, with what failed.
    project.write("clock", "333")
    assert watch.round().state == "failed"
    project.write("orders", "whole again")
    mended = watch.round()
    assert (mended.state, mended.goes_on, mended.delivered[0].count) == ("built", True, 1)
    assert project.asked[-1] == ["source:e.events.builds+", "source:p.raw.clock+", "source:p.raw.orders+"]
    assert read_alerts().alerts[0]["status"] == "resolved"
    assert until_idle(watch) == ["built", "idle"]
    assert project.asked[-1] == ["source:e.events.builds+"]


def test_a_file_that_is_being_written_is_waited_for(project: MadeUpProject) -> None:
    watch = project.watch()
    until_idle(watch)
    project.asked.clear()
    sizes = iter((2, 3))

    def write_on(_: float) -> None:
        if size := next(sizes, None):
            project.write("orders", "x" * size)

    watch.wait = write_on
    project.write("orders", "xx_")
    waiting = watch.round()
    assert (waiting.state, waiting.text) == ("waiting", f"{project.home}/raw/orders.csv is being written")
    watch.round()
    assert watch.round().state in ("built", "idle")
    assert project.asked == [["source:p.raw.orders+"]]


def test_where_another_process_holds_the_warehouse_it_waits(project: MadeUpProject) -> None:
    project.is_busy = True
    assert project.watch().round().state == "waiting"
    assert read_events("builds", BUILD) == []
    project.is_busy = False
    assert project.watch().round().state == "built"


def go_through(home: Path, monkeypatch: pytest.MonkeyPatch, kill_at: int) -> int:
    """Days of a project with a build that fails, a process a round; one is killed before or after a write. Returns the writes."""
    monkeypatch.setenv("EIDERDOWN_HOME", str(home))
    written, calls = files.write_whole, 0
    project = MadeUpProject(home)

    def write(final: Path, content: bytes) -> str:
        nonlocal calls
        calls += 2
        if calls - 1 == kill_at:
            raise Killed
        digest = written(final, content)
        if calls == kill_at:
            raise Killed
        return digest

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_whole", write)
        for text in ("1", "broken", "whole"):
            project.write("orders", text)
            for _ in range(4):
                with contextlib.suppress(Killed):
                    project.watch(every=0).round()
    assert project.version == 2
    assert len(read_events("retrain", EVENT)) == 1
    assert [alert["status"] for alert in read_alerts().alerts] == ["resolved"]
    lines = [json.loads(line) for line in (home / "alerts" / "alerts.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["opened", "resolved"]
    assert project.watch().round().state == "idle"
    return calls


def test_a_watch_that_is_killed_anywhere_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One decision to retrain, one alert that is told once, and all that is new is built. EIDERDOWN_KILLS=100 tries all."""
    monkeypatch.delenv("EIDERDOWN_ALERT_WEBHOOK", raising=False)
    points = go_through(tmp_path / "undisturbed", monkeypatch, 0)
    assert points > 10
    count = min(int(os.environ.get("EIDERDOWN_KILLS", "4")), points)
    for kill_at in random.Random(7).sample(range(1, points + 1), count):
        go_through(tmp_path / str(kill_at), monkeypatch, kill_at)


def test_a_second_watch_is_told_who_watches(project: MadeUpProject) -> None:
    with watch_lock():
        refused = CliRunner().invoke(app, ["watch", "--once"])
        assert refused.exit_code == 1
        assert f'is watched already, by {{"process": {os.getpid()}, "host": ' in refused.output.replace("\n", "")
    with watch_lock():
        pass


def test_a_project_that_dbt_cannot_read_is_an_alert(
    project: MadeUpProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "dbt_project.yml").write_text("name: [broken")
    shutil.copy(REPOSITORY / "profiles.yml", folder)
    monkeypatch.chdir(folder)
    failed = Watch(dbt, project.manifest, lambda _: None).round()
    assert failed.state == "failed"
    assert "Syntax error near line 2" in read_alerts().alerts[0]["text"]


WATCH_UNTIL_TERM = """
import sys
from pathlib import Path
from ml.watching import build

home = Path(sys.argv[1])

def dbt(*arguments):
    if arguments[0] == "build":
        print("building", flush=True)
        sys.stdin.readline()
    return build.Built(True, "")

build.dbt, build.read_manifest = dbt, lambda: {"sources": {}, "nodes": {}}
from eiderdown.cli import app
app(["watch", "--json", "--every", "1000"])
"""


def test_sigterm_lets_the_build_end(project: MadeUpProject) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WATCH_UNTIL_TERM, str(project.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "EIDERDOWN_HOME": str(project.home)},
    ) as watch:
        read: Callable[[], str] = watch.stdout.readline  # type: ignore[union-attr]
        assert read() == "building\n"
        watch.send_signal(signal.SIGTERM)
        said, _ = watch.communicate("go on\n", timeout=120)
        assert watch.returncode == 0
    assert json.loads(said)["state"] == "built"
    assert (project.home / "watch" / "state.json").is_file()
