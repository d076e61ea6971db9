"""A release that was damaged or forged is refused before anything that could crash reads it; the one before it serves on."""

import dataclasses
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from eiderdown.demonstration import tour
from ml import files
from ml.release.manifest import Manifest, current_release, identity, read_manifest
from serving.app import create_app
from serving.settings import Settings
from tests.conftest import Project

MODEL = "models/flight_delay_v1.txt"
BASELINE = "models/flight_delay_schedule_v1.txt"
VIEW = "features/plane_activity_v2.arrow"


@pytest.fixture(scope="module")
def two_releases(built: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The folder of releases with two in it: (folder, the one before, the new one)."""
    folder = tmp_path_factory.mktemp("two") / "project"
    shutil.copytree(built.folder, folder)
    project = Project(folder)
    releases = project.home / "releases"
    before = current_release(releases)
    project.set_clock("2013-12-31T13:00:00Z")
    project.dbt("run")
    return releases, before, current_release(releases)


@pytest.fixture
def served(
    two_releases: tuple[Path, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TestClient, Path, str]]:
    """A server of the release before: (client, the new release's folder, which the pointer does not name yet, its name)."""
    releases, before, after = two_releases
    shutil.copytree(releases, tmp_path / "releases")
    for path in (tmp_path / "releases" / after).rglob("*"):
        path.chmod(0o755)
    (tmp_path / "releases" / "current").write_text(before)
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    with TestClient(create_app(Settings(poll_seconds=3600))) as client:
        yield client, tmp_path / "releases" / after, before


def _take_up(client: TestClient, release: Path) -> None:
    (release.parent / "current").write_text(release.name)
    client.app.state.current.refresh()  # type: ignore[attr-defined]


def _forge(release: Path) -> Path:
    """Make the manifest agree with what is in the folder, as who may write there could. Returns the folder's new name."""
    manifest = read_manifest(release)
    views = [dataclasses.replace(view, sha256=files.sha256(release / view.file)) for view in manifest.views]
    models = [dataclasses.replace(model, sha256=files.sha256(release / model.file)) for model in manifest.models]
    name = identity(
        manifest.as_of, manifest.replay, views, models, manifest.aliases, manifest.serving, manifest.catalog
    )
    _write_manifest(release, dataclasses.replace(manifest, release=name, views=views, models=models))
    return release.rename(release.with_name(name))


def _write_manifest(release: Path, manifest: Manifest) -> None:
    (release / "manifest.json").write_text(manifest.to_json())


def _truncate(name: str) -> Callable[[Path], None]:
    def damage(release: Path) -> None:
        content = (release / name).read_bytes()
        (release / name).write_bytes(content[: len(content) // 2])

    return damage


def _flip(name: str) -> Callable[[Path], None]:
    def damage(release: Path) -> None:
        content = bytearray((release / name).read_bytes())
        content[len(content) // 2] ^= 1
        (release / name).write_bytes(content)

    return damage


def _replace(name: str, pattern: bytes, replacement: bytes) -> Callable[[Path], None]:
    def damage(release: Path) -> None:
        content = (release / name).read_bytes()
        edited = re.sub(pattern, replacement, content, count=1)
        assert edited != content
        (release / name).write_bytes(edited)

    return damage


def _swap_models(release: Path) -> None:
    one, two = release / MODEL, release / BASELINE
    one.rename(release / "held")
    two.rename(one)
    (release / "held").rename(two)


def _remove(release: Path) -> None:
    (release / VIEW).unlink()


def _link_outside(release: Path) -> None:
    outside = release.parent / "outside.txt"
    (release / MODEL).rename(outside)
    (release / MODEL).symlink_to(outside)


def _empty_view(release: Path) -> None:
    (release / VIEW).write_bytes(b"")


EDITED_TREE = _replace(MODEL, rb"(?m)^left_child=\d", b"left_child=9")
CUT_ARRAY = _replace(MODEL, rb"(?m)^threshold=(\S+) \S+", rb"threshold=\1 ")
OTHER_SCORES = _replace(MODEL, rb"sigmoid:1", b"sigmoid:2")

DAMAGED = {
    "a truncated model": (_truncate(MODEL), "flight_delay_v1.txt: missing or altered"),
    "a truncated view": (_truncate(VIEW), "plane_activity_v2.arrow: missing or (altered|unreadable)"),
    "a truncated database": (_truncate("release.duckdb"), "release.duckdb: missing or altered"),
    "a truncated manifest": (_truncate("manifest.json"), "the manifest cannot be read"),
    "a flipped bit in a model": (_flip(MODEL), "flight_delay_v1.txt: missing or altered"),
    "a flipped bit in a view": (_flip(VIEW), "plane_activity_v2.arrow: missing or (altered|unreadable)"),
    "a flipped bit in the database": (_flip("release.duckdb"), "release.duckdb: missing or altered"),
    "an edited tree": (EDITED_TREE, "flight_delay_v1.txt: missing or altered"),
    "swapped models": (_swap_models, r"flight_delay\w*_v1.txt: missing or altered"),
    "a missing view": (_remove, "plane_activity_v2.arrow: missing or (altered|unreadable)"),
    "a link out of the folder": (_link_outside, "which is outside the release"),
    "a path out of the folder": (
        _replace("manifest.json", rb"models/flight_delay_v1", b"../../x"),
        "outside the release",
    ),
    "an absolute path": (_replace("manifest.json", rb'"release.duckdb"', b'"/etc/passwd"'), "outside the release"),
    "another ttl": (_replace("manifest.json", rb'ttl_seconds": \d+', b'ttl_seconds": 1'), "the manifest was altered"),
    "another champion": (_replace("manifest.json", rb'champion": 1', b'champion": 2'), "the manifest was altered"),
    "another as_of": (_replace("manifest.json", rb'as_of": "2013', b'as_of": "3013'), "the manifest was altered"),
    "another shape": (_replace("manifest.json", rb'"views": \[', b'"views": {'), "the manifest cannot be read"),
    "another format": (
        _replace("manifest.json", rb'"format": \d+', b'"format": 99'),
        "another version of the platform",
    ),
}
FORGED = {
    "an edited tree": (EDITED_TREE, "not a LightGBM model that can be read, tree 0: left_child"),
    "a cut array": (CUT_ARRAY, "not a LightGBM model that can be read, tree 0: "),
    "a truncated model": (_truncate(MODEL), "not a LightGBM model that can be read"),
    "other scores": (OTHER_SCORES, "flight_delay_v1: the canary's row 0 scores"),
    "swapped models": (_swap_models, "not a LightGBM model that can be read, feature_names"),
    "a truncated view": (_truncate(VIEW), "plane_activity_v2.arrow: not a feature file"),
    "an empty view": (_empty_view, "plane_activity_v2.arrow: not a feature file"),
}


def _check_refused(client: TestClient, before: str, said: str, caplog: pytest.LogCaptureFixture) -> None:
    ready = client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json()["release"] == before
    assert re.search(said, ready.json()["problems"][0])
    assert "eiderdown_release_failures_total 1.0" in client.get("/metrics").text
    logged = [record.msg for record in caplog.records if record.name == "serving"]
    problems = {line["problem"] for line in logged if line["event"] == "release_not_loaded"}
    assert problems == set(ready.json()["problems"])
    answer = client.post("/predict/flight_delay", json={"instances": [tour.INSTANCE]}).json()
    assert answer["release"] == before


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The server's logger does not hand its lines on."""
    logger = logging.getLogger("serving")
    logger.addHandler(caplog.handler)
    yield
    logger.removeHandler(caplog.handler)


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_release_is_refused(
    served: tuple[TestClient, Path, str], case: str, caplog: pytest.LogCaptureFixture
) -> None:
    client, release, before = served
    damage, said = DAMAGED[case]
    damage(release)
    _take_up(client, release)
    _check_refused(client, before, said, caplog)


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_release_is_refused(
    served: tuple[TestClient, Path, str], case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the checksums were made to agree: by the structure of the file, and by the canary."""
    client, release, before = served
    damage, said = FORGED[case]
    damage(release)
    _take_up(client, _forge(release))
    _check_refused(client, before, said, caplog)


def test_the_whole_release_is_taken_up(served: tuple[TestClient, Path, str]) -> None:
    client, release, before = served
    _take_up(client, release)
    ready = client.get("/health/ready").json()
    assert (ready["release"], ready["problems"]) == (release.name, [])
    assert release.name != before
