"""A publisher that is refused leaves a whole release, and the next run puts everything right."""

import pytest

from ml.errors import ReleaseError
from ml.release.manifest import current_release
from serving.releases.release import Release
from tests.conftest import Project, messages


def _whole(project: Project) -> str:
    """The current release loads, every file of it checked."""
    folder = project.home / "releases"
    name = current_release(folder)
    assert Release(folder / name).name == name
    return name


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


def test_views_of_two_times_are_not_published(project: Project) -> None:
    """A run that failed between, or a choice of models, leaves the clock and some views ahead of others."""
    release = _whole(project)
    project.set_clock("2013-12-31T13:00:00Z")
    project.dbt("run", "-s", "clock", "flights", "weather", "plane_activity")
    refused = messages(project.dbt("run", "-s", "releases", succeeds=False))
    assert (
        "features.carrier_activity_v1: its rows were made when the clock stood at 2013-12-31 12:00:00+00:00" in refused
    )
    assert _whole(project) == release
    project.dbt("run", "--selector", "feature_pipeline")
    project.dbt("run", "-s", "releases")
    assert _whole(project) != release


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
