"""Arms in the shadow: scored beside what is answered, and whatever becomes of them, no answer knows of it."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ml import files
from serving.app import create_app
from serving.experiments import beside
from serving.experiments.shadow import Shadow
from serving.requests.instances import Row
from serving.settings import Settings
from tests.made_up_release import AS_OF, HOUR, point_at
from tests.served_experiments import ALIASES, MACHINES, ask, companions, is_running, lines, plant, publish, until

SETTINGS = Settings(poll_seconds=0.02, cache_rows=0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    return tmp_path


def shadows(home: Path) -> dict[str, dict[str, Any]]:
    """The lines of arms in the shadow, by request; each request has one at most."""
    found: dict[str, dict[str, Any]] = {}
    for event in lines(home, "predictions"):
        if event.get("assignment", {}).get("role") == "shadow":
            assert event["request_id"] not in found
            found[event["request_id"]] = event
    return found


def alone(home: Path) -> None:
    """Keep the server from starting a process for shadows: a round is done by hand."""
    (home / "experiments").write_bytes(b"no folder")


def score(home: Path) -> None:
    """A round of a process for shadows, of which only the note outlives it."""
    (home / "experiments").unlink(missing_ok=True)
    (home / "notes").mkdir(exist_ok=True)
    (home / "notes").rename(home / "experiments")
    Shadow().round()
    (home / "experiments").rename(home / "notes")
    alone(home)


def test_a_shadow_scores_what_its_version_would_answer(home: Path) -> None:
    publish(home, "shadow")
    alone(home)
    with TestClient(create_app(SETTINGS)) as client:
        answers = [ask(client, machines) for machines in (MACHINES, MACHINES[:1], ["unknown", "m3"])]
        assert {answer["version"] for answer in answers} == {1}
        pushed = {"machine": "m1", "event_at": AS_OF.isoformat(), "heat": 9.0}
        row = pushed | {"known_at": pushed["event_at"], "parts": None, "place": None}
        assert client.post("/push/machine", json={"rows": [row]}).status_code == 200
        answers.append(ask(client, MACHINES[:3]))
        expected = [ask(client, machines, version=2) for machines in (["unknown", "m3"], MACHINES[:3])]
        score(home)
        found = shadows(home)
        assert list(found) == [answer["request_id"] for answer in answers]
        logged = {event["request_id"]: event for event in lines(home, "predictions")}
        for answer, asked in zip(answers[-2:], expected, strict=True):
            mine, asked_line = found[answer["request_id"]], logged[asked["request_id"]]
            assert mine["version"] == 2
            for field in ("score", "label", "features", "fields", "names", "instances", "predicted_at"):
                assert mine[field] == asked_line[field]
            assert mine.get("missing") == asked_line.get("missing")
            assert mine["assignment"]["arm"] == "treatment"
        # What was scored is not scored again, by this or another process.
        score(home)
        assert shadows(home) == found


def test_a_request_that_a_shadow_cannot_score(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = plant(monkeypatch)

    def fail(rows: list[Row]) -> None:
        if rows[0][0] == "m1":
            raise RuntimeError("planted")

    publish(home, "shadow")
    alone(home)
    with TestClient(create_app(SETTINGS)) as client:
        faults[2] = fail
        asked = [ask(client, [machine])["request_id"] for machine in MACHINES[:4]]
        score(home)
    assert list(shadows(home)) == [asked[0], *asked[2:]]


def test_a_shadow_follows_releases(home: Path) -> None:
    """Also what the next release answered since a round began; and one that does not load is not served, nor followed."""
    releases = [publish(home, "shadow"), publish(home, "shadow", aliases=ALIASES | {"challenger": 3})]
    point_at(home, releases[0])
    alone(home)
    with TestClient(create_app(SETTINGS)) as client:
        (home / "experiments").unlink()
        shadow = Shadow()
        answers = [ask(client, MACHINES[:2])]
        shadow.round()
        real = shadow._pushes.read

        def switch() -> None:
            """Between the look for a release and the reading of lines."""
            real()
            point_at(home, releases[1])
            until(lambda: client.get("/health/ready").json()["release"] == releases[1])
            answers.append(ask(client, MACHINES[:2]))

        answers.append(ask(client, MACHINES[:2]))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(shadow._pushes, "read", switch)
            shadow.round()
        broken = home / "releases" / publish(home, "shadow", as_of=AS_OF + HOUR)
        files.write_whole(broken / "models" / "stops_v2.txt", b"altered")
        until(lambda: client.get("/health/ready").json()["problems"])
        answers.append(ask(client, MACHINES[:2]))
        shadow.round()
        found = shadows(home)
    assert [found[answer["request_id"]]["version"] for answer in answers] == [2, 2, 3, 3]
    assert [answer["release"] for answer in answers] == [releases[0]] * 2 + [releases[1]] * 2


_FAULTS = """
import os, signal, sys, time
if "serving.experiments.beside" in sys.orig_argv:
    from serving.experiments import shadow
    from serving.predictions.predictor import Predictor
    shadow.SECONDS_TO_SCORE = 1.0
    real = Predictor.predict
    def predict(self, rows, stages):
        name = rows[0][0]
        if name == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if name == "hangs":
            time.sleep(10**6)
        return real(self, rows, stages)
    Predictor.predict = predict
"""


def test_a_shadow_that_crashes_hangs_or_is_killed_comes_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The processes beside the server take this fault from `sitecustomize`; the server has none."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "sitecustomize.py").write_text(_FAULTS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(__file__).parents[2])]))
    publish(home, "shadow")
    with TestClient(create_app(SETTINGS)) as client:
        known = ask(client, MACHINES[:3], version=1)["predictions"]
        kill = lambda: os.kill(until(lambda: companions("shadow")).pop(), signal.SIGKILL)  # noqa: E731
        for fault in (lambda: ask(client, ["crashes"]), lambda: ask(client, ["hangs"]), kill):
            asked = ask(client, MACHINES[:3])["request_id"]
            until(lambda asked=asked: asked in shadows(home))
            (before,) = companions("shadow")
            fault()
            until(lambda before=before: not is_running(before))
            answer = ask(client, MACHINES[:3])
            assert [one["score"] for one in answer["predictions"]] == [one["score"] for one in known]
            # Another goes on behind it.
            until(lambda answer=answer: answer["request_id"] in shadows(home))
    assert companions("shadow") == set()


def test_companions_are_there_where_they_are_needed(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    idle = publish(home, "ab")
    busy = publish(home, "exp4")
    point_at(home, idle)
    (home / "experiments").write_bytes(b"no folder")
    with TestClient(create_app(SETTINGS)) as client:

        def switch(name: str) -> None:
            point_at(home, name)
            until(lambda: client.get("/health/ready").json()["release"] == name)

        ask(client, MACHINES)
        switch(busy)
        until(lambda: "companion_not_started" in caplog.text)
        assert companions("learner") == set()
        # What keeps one from starting now may not later.
        (home / "experiments").unlink()
        until(lambda: companions("learner"))
        switch(idle)
        until(lambda: not companions("learner"))
        # Nothing of a release is left open when it is replaced.
        counts = []
        for _ in range(4):
            switch(busy)
            assert ask(client, MACHINES)["absent"] is not None
            until(lambda: companions("learner"))
            switch(idle)
            until(lambda: not companions("learner"))
            counts.append(len(list(Path("/proc/self/fd").iterdir())))
        assert max(counts[1:]) <= counts[0]


def test_a_machine_that_gives_no_idle_class_has_shadows_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    beside._stand_back("shadow")
