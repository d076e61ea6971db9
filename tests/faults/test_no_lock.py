"""dbt runs, a server under load and `eiderdown sql` beside one another: nobody waits, fails, or sees half of a release.

Four runs in the ordinary run of the tests; EIDERDOWN_ROUNDS does more.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from eiderdown.demonstration import tour
from ml.expressions.column import microseconds
from serving.predictions.predictor import Stages
from serving.releases.release import Release
from tests.conftest import Project

ROUNDS = int(os.environ.get("EIDERDOWN_ROUNDS", "4"))
RUNS = (("run",), ("run", "--full-refresh"), ("build",))
CLIENTS = 4


class Load:
    """Clients that ask a server, and an analyst who queries, until told to stop. Keeps every answer."""

    def __init__(self, url: str, home: Path, instances: list[dict[str, Any]]) -> None:
        self.predictions: list[httpx.Response | httpx.HTTPError] = []
        self.features: list[httpx.Response | httpx.HTTPError] = []
        self.queries: list[subprocess.CompletedProcess[str]] = []
        self.instances = instances
        self.keys = [{"tailnum": instance["tailnum"]} for instance in instances]
        self._url = url
        self._home = home
        self._stop = threading.Event()
        predict = ("/predict/flight_delay", {"instances": instances}, self.predictions)
        look_up = ("/features/plane_activity_v2", {"keys": self.keys}, self.features)
        self._threads = [
            *(threading.Thread(target=self._ask, args=predict) for _ in range(CLIENTS - 1)),
            threading.Thread(target=self._ask, args=look_up),
            threading.Thread(target=self._query),
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, path: str, body: dict[str, Any], answers: list[httpx.Response | httpx.HTTPError]) -> None:
        with httpx.Client(base_url=self._url, timeout=30) as client:
            while not self._stop.wait(0.01):
                try:
                    answers.append(client.post(path, json=body))
                except httpx.HTTPError as error:
                    answers.append(error)

    def _query(self) -> None:
        query = "select count(*) as planes from features.plane_activity_v2"
        command = [str(Path(sys.executable).parent / "eiderdown"), "sql", "--json", query]
        environment = {**os.environ, "EIDERDOWN_HOME": str(self._home)}
        while not self._stop.wait(0.5):
            self.queries.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=False))


def _instances(project: Project) -> list[dict[str, Any]]:
    rows = project.query(
        "select tailnum, carrier, flight, origin, dest, strftime(sched_dep_at, '%Y-%m-%dT%H:%M:%SZ'), distance "
        "from staging.flights where sched_dep_at > '2013-12-31 20:00:00Z' order by flight_id limit 10"
    )
    return [dict(zip(tour.INSTANCE, row, strict=True)) for row in rows]


def test_dbt_the_server_and_analysts_do_not_meet(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    folder = project.home / "releases"
    published = {(folder / "current").read_text().strip()}
    with tour.server() as (url, _), Load(url, project.home, _instances(project)) as load:
        for number in range(ROUNDS):
            # Two runs in three bring new data.
            if number % 3 != 2:
                project.set_clock(f"2013-12-31T{12 + number // 60:02}:{number % 60:02}:30Z")
            project.dbt(*RUNS[number % len(RUNS)])
            published.add((folder / "current").read_text().strip())

    assert len(load.predictions) > 50 * ROUNDS
    assert {getattr(answer, "status_code", answer) for answer in [*load.predictions, *load.features]} == {200}
    releases = {name: Release(folder / name) for name in published}
    predicted = {name: _predict(release, load.instances) for name, release in releases.items()}
    for answer in load.predictions:
        body = answer.json()  # type: ignore[union-attr]
        found = [(one["score"], one.get("missing", [])) for one in body["predictions"]]
        assert found == predicted[body["release"]]
    for answer in load.features:
        body = answer.json()  # type: ignore[union-attr]
        events = [row["event_at"] for row in body["rows"]]
        assert events == _events(releases[body["release"]], load.keys)
    assert len({answer.json()["release"] for answer in load.predictions}) > 1  # type: ignore[union-attr]
    assert len(load.queries) > ROUNDS
    assert [query.stderr for query in load.queries if query.returncode] == []
    assert all(json.loads(query.stdout)[0]["planes"] > 100 for query in load.queries)


def _predict(release: Release, instances: list[dict[str, Any]]) -> list[tuple[float, list[str]]]:
    predictor = release.predictors["flight_delay", release.aliases["flight_delay"]["champion"]]
    rows = predictor.check(instances, len(instances), release.now())
    return [(one.score, one.missing) for one in predictor.predict(rows, Stages())]


def _events(release: Release, keys: list[dict[str, Any]]) -> list[str | None]:
    view = release.views["plane_activity_v2"]
    now = release.now()
    found = view.find([(key["tailnum"],) for key in keys], [now] * len(keys), [microseconds(now)] * len(keys))
    moments = [view.event_at(found, number) for number in range(len(keys))]
    return [moment and moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in moments]
