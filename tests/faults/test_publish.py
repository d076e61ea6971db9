"""A publisher that is killed or refused leaves a whole release, and the next run puts everything right."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml.errors import ReleaseError
from ml.release.manifest import current_release, read_manifest
from serving.release import Release
from tests.conftest import Project, messages

HISTORY = (
    "select (select count(*) from registry.model_versions), (select count(*) from registry.datasets), "
    "(select count(*) from registry.feature_views), (select count(*) from registry.model_aliases)"
)


def _whole(project: Project) -> str:
    """The current release loads, every file of it checked."""
    folder = project.home / "releases"
    name = current_release(folder)
    assert Release(folder / name).name == name
    return name


def test_a_run_that_is_killed_anywhere_converges(project: Project) -> None:
    """SIGKILL at random moments of runs that train and publish; then one that is left alone."""
    yaml = project.folder / "models" / "training" / "_training.yml"
    yaml.write_text(yaml.read_text().replace("seed: 1", "seed: 7").replace("split: test}", "min_gain: -1}"))
    before, release = project.query(HISTORY)[0], _whole(project)
    command = [str(Path(sys.executable).parent / "dbt"), "run", "--quiet"]
    environment = {**os.environ, "EIDERDOWN_HOME": str(project.home)}
    chance = random.Random(11)
    for _ in range(4):
        run = subprocess.Popen(command, cwd=project.folder, env=environment, start_new_session=True)
        time.sleep(chance.uniform(3, 9))
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        _whole(project)
    project.dbt("run")
    after = project.query(HISTORY)[0]
    assert after == (before[0] + 2, before[1], before[2], before[3] + 2)
    assert _whole(project) != release
    assert not list((project.home / "releases").glob(".aside-*"))
    published = project.query("select release from registry.releases")
    assert sorted(row[0] for row in published) == sorted(
        path.parent.name for path in (project.home / "releases").glob("*/manifest.json")
    )
    tables = project.query(
        "select table_name from duckdb_tables() where table_name like '%tmp%' or table_name like '\\_rows%'"
    )
    assert tables == []


def test_an_altered_artifact_is_not_published(project: Project) -> None:
    release = _whole(project)
    artifact = next((project.home / "artifacts" / "models" / "flight_delay").glob("*.txt"))
    content = artifact.read_bytes()
    artifact.write_bytes(content[: len(content) // 2])
    project.set_clock("2013-12-31T13:00:00Z")
    assert "its SHA-256 is" in messages(project.dbt("run", "-s", "clock+", succeeds=False))
    assert _whole(project) == release
    artifact.write_bytes(content)
    project.dbt("run")
    assert _whole(project) != release


def test_a_model_whose_canary_scores_otherwise_is_not_published(project: Project) -> None:
    release = _whole(project)
    project.set_clock("2013-12-31T13:00:00Z")
    project.dbt("run", "--exclude", "releases")
    project.write(
        "update registry.model_versions set canary = replace(canary::varchar, '0x1.', '0x1.0')::json where model = 'flight_delay'"
    )
    assert "the canary's row 0 scores" in messages(project.dbt("run", "-s", "releases", succeeds=False))
    assert _whole(project) == release


def test_a_table_built_with_another_meaning_is_not_published(project: Project) -> None:
    release = _whole(project)
    project.set_clock("2013-12-31T13:00:00Z")
    project.dbt("run", "--exclude", "releases")
    project.write('comment on table features.route_activity_v1 is \'{"fingerprint": "another"}\'')
    refused = messages(project.dbt("run", "-s", "releases", succeeds=False))
    assert "features.route_activity_v1: the table was not built with the meaning" in refused
    assert _whole(project) == release


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("models/flight_delay_v1.txt", "../../artifacts/x.txt"),
        ('"ttl_seconds": 172800.0', '"ttl_seconds": 1.0'),
        ('"champion": 1', '"champion": 2'),
        ('"as_of": "2013', '"as_of": "3013'),
        ('"views": [', '"views": {'),
    ],
)
def test_an_altered_manifest_is_refused(project: Project, old: str, new: str) -> None:
    folder = project.home / "releases" / _whole(project)
    manifest = folder / "manifest.json"
    assert old in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(old, new))
    with pytest.raises(ReleaseError, match=r"outside the release|was altered|cannot be read"):
        read_manifest(folder)


def test_a_damaged_release_is_put_right_by_the_next_run(project: Project) -> None:
    release = _whole(project)
    (project.home / "releases" / release / "features" / "plane_activity_v2.arrow").write_bytes(b"torn")
    with pytest.raises(ReleaseError, match="missing or altered"):
        _whole(project)
    project.dbt("run", "-s", "releases")
    assert _whole(project) == release


def test_an_old_release_that_cannot_be_read_is_passed_over(project: Project) -> None:
    before = _whole(project)
    (project.home / "releases" / before / "manifest.json").write_text("{")
    project.set_clock("2013-12-31T13:00:00Z")
    project.dbt("run")
    assert _whole(project) != before
