"""Feature views of windows() through dbt: what is new, corrected or gone is brought up to date, and all else stays."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import Project, copy_project

VIEWS = ("origin_activity", "carrier_activity", "route_activity")


@pytest.fixture(scope="module")
def in_june(tmp_path_factory: pytest.TempPathFactory, raw_slice: Path) -> Project:
    """The three views on the slice, as of June."""
    project = copy_project(tmp_path_factory.mktemp("windows"))
    shutil.copytree(raw_slice, project.home / "raw")
    project.set_clock("2013-06-01T12:00:00Z")
    project.dbt("run", "-s", *(f"+{view}" for view in VIEWS))
    return project


def _rows(project: Project, view: str) -> list[tuple]:
    return project.query(f"select * from features.{view}_v1 order by all")


def _tiles(project: Project, view: str) -> list[tuple]:
    return project.query(f"select * from main.features_{view}_v1_tiles order by all")


def _row_ids(project: Project, view: str) -> dict[tuple, int]:
    rows = project.query(f"select rowid, * from features.{view}_v1")
    return {row[1:]: row[0] for row in rows}


def test_an_incremental_run_gives_the_rows_of_a_full_build_and_leaves_the_others(in_june: Project) -> None:
    before = {view: _row_ids(in_june, view) for view in VIEWS}
    in_june.set_clock("2013-06-08T12:00:00Z")
    raw = in_june.home / "raw" / "flights.csv"
    header, *lines = raw.read_text().splitlines()
    march = [place for place, line in enumerate(lines) if line.startswith("2013,3,10,")]
    corrected = lines[march[0]].split(",")
    corrected[header.split(",").index("carrier")] = "ZZ"
    lines[march[0]] = ",".join(corrected)
    del lines[march[1]]
    raw.write_text("\n".join([header, *lines]) + "\n")

    in_june.dbt("run", "-s", "staging", *VIEWS)
    incremental = {view: (_rows(in_june, view), _tiles(in_june, view)) for view in VIEWS}
    for view in VIEWS:
        after = _row_ids(in_june, view)
        assert set(after) - set(before[view]), "the week brought nothing"
        stayed = set(before[view]) & set(after)
        assert {row: after[row] for row in stayed} == {row: before[view][row] for row in stayed}, (
            "a row was written anew"
        )

    in_june.dbt("run", "--full-refresh", "-s", *VIEWS)
    for view in VIEWS:
        assert (_rows(in_june, view), _tiles(in_june, view)) == incremental[view]


def test_a_view_whose_tiles_are_gone_is_built_in_full(in_june: Project) -> None:
    rows = _rows(in_june, "origin_activity")
    in_june.write("drop table main.features_origin_activity_v1_tiles; delete from features.origin_activity_v1")
    in_june.dbt("run", "-s", "origin_activity")
    assert _rows(in_june, "origin_activity") == rows
    assert _tiles(in_june, "origin_activity")


def test_how_the_platform_computes_windows_is_not_what_a_view_means(project: Project) -> None:
    path = project.folder / "macros" / "windows" / "expressions.sql"
    text = path.read_text()
    assert "abs({{ s }}) <= 9007199254740992" in text
    path.write_text(text.replace("abs({{ s }}) <= 9007199254740992", "abs({{ s }}) <= 1"))
    fingerprints = "select fingerprint, row_count from registry.feature_views order by all"
    before = project.query(fingerprints), _rows(project, "origin_activity")
    project.dbt("run", "-s", *VIEWS, "feature_views")
    assert (project.query(fingerprints), _rows(project, "origin_activity")) == before
