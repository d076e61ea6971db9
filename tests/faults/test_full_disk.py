"""A disk that is full while a release is written: a clear error, nothing torn, the release before it goes on."""

import multiprocessing
import os
import resource
from pathlib import Path
from typing import Any

import duckdb

from ml.errors import ReleaseError
from ml.release.manifest import current_release
from ml.release.publish import publish
from serving.releases.release import Release
from tests.conftest import Project

CONTEXT = multiprocessing.get_context("forkserver")


def publish_within(home: Path, limit: int, answer: Any) -> None:
    """Publish in a child that cannot write a file past `limit` bytes, as on a disk that is full. Sends what was raised."""
    os.environ["EIDERDOWN_HOME"] = str(home)
    with duckdb.connect(str(home / "eiderdown.duckdb")) as session:
        session.execute("set TimeZone = 'UTC'")
        tables = ("staging.clock", "registry.feature_views", "registry.model_versions", "registry.current_aliases")
        relations = [session.table(name) for name in tables]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            publish(session, *relations)
            answer.send(None)
        except ReleaseError as error:
            answer.send(str(error))


def _publish_within(project: Project, limit: int) -> str | None:
    receiver, sender = CONTEXT.Pipe(duplex=False)
    child = CONTEXT.Process(target=publish_within, args=(project.home, limit, sender))
    child.start()
    child.join()
    assert child.exitcode == 0
    said: str | None = receiver.recv()
    return said


def test_a_full_disk_while_publishing(project: Project) -> None:
    folder = project.home / "releases"
    before = current_release(folder)
    project.set_clock("2013-12-31T13:00:00Z")
    project.dbt("run", "--exclude", "releases")
    for full_at in ("features/plane_activity_v2.arrow", "models/flight_delay_v1.txt", "release.duckdb"):
        said = _publish_within(project, (folder / before / full_at).stat().st_size // 2)
        assert said is not None
        assert "the release could not be written" in said
        assert "File too large" in said
        assert "the release before it goes on serving" in said
        assert current_release(folder) == before
        assert Release(folder / before).name == before
        assert {path.name for path in folder.iterdir()} == {before, "current", ".lock"}
    assert _publish_within(project, 10**10) is None
    after = current_release(folder)
    assert after != before
    assert Release(folder / after).name == after
