"""What gc removes, beside what brute force over the registry's tables and the manifests says."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import files
from ml.errors import ReleaseError, WarehouseError
from ml.housekeeping.garbage import find_garbage, remove_garbage
from tests.made_up_home import MadeUpHome

MODELS = ("arrivals", "delays")
FOREIGN = (
    "notes.txt",
    "artifacts/somebody's.txt",
    "artifacts/models/arrivals/somebody's.txt",
    "artifacts/tuning/journal.log",
    "artifacts/kept/fingerprint/abc",
    "artifacts/datasets/orders/somebody's.parquet",
    "releases/somebody's.txt",
    "events/predictions/1.jsonl",
)
CONTENTS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.none() | st.sampled_from(["baseline 1", "baseline 2"])), max_size=8
)


def collect(home: MadeUpHome, keep: int) -> list[str]:
    """Run gc. Returns why something was left."""
    garbage, left = find_garbage(home.connection, home.home, keep)
    remove_garbage(home.home, garbage)
    assert all(found.size_bytes >= 0 for found in garbage)
    return left


def expected_to_go(home: MadeUpHome, keep: int, noted: set[str], unreadable: set[str]) -> set[str]:
    """By brute force: each file of the home, and whether anything names it."""
    current = (home.home / "releases" / "current").read_text().strip()
    manifests = {}
    for path in home.home.glob("releases/*/manifest.json"):
        if path.parent.name not in unreadable:
            manifests[path.parent.name] = json.loads(path.read_text())
    order = sorted(manifests, key=lambda name: manifests[name]["created_at"])
    stay = {name for place, name in enumerate(order) if place >= len(order) - keep}
    stay |= {current} | {order[order.index(current) - 1] for _ in [0] if order.index(current) > 0}
    old = set(order) - stay

    recorded = home.query("select model, version, artifact, baseline->>'$.artifact' from training.scored")
    named = set(home.query("select model, version from registry.current_aliases"))
    moves = home.query("select model, alias, since, version from registry.model_aliases order by since")
    named |= {(model, version) for (model, _), version in {move[:2]: move[3] for move in moves}.items()}
    for name in stay:
        named |= {(model["model"], model["version"]) for model in manifests[name]["models"]}
    for name, held_models in home.query("select release, models from registry.releases"):
        if name in unreadable:
            named |= {(model, version) for model, versions in held_models.items() for version in versions}
    newest = {model: max(row[1] for row in recorded if row[0] == model) for model in {row[0] for row in recorded}}
    needed, all_of_versions = set(), set()
    for model, version, artifact, baseline in recorded:
        all_of_versions |= {artifact, baseline}
        if (model, version) in named or version > newest[model] - 3:
            needed |= {artifact, baseline}
    states = {row[0] for row in home.query("select artifact from registry.datasets")}
    return {
        file
        for file in home.state()
        if file.startswith(tuple(f"releases/{name}/" for name in old))
        or file in all_of_versions - needed - states
        or file in noted - all_of_versions - states
        or "/.aside-" in file
    }


@given(data=st.data())
@settings(max_examples=25)
def test_exactly_what_nothing_names_goes(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = MadeUpHome(Path(folder) / "home")
        versions = {model: data.draw(CONTENTS, label=model) for model in MODELS}
        for model, contents in versions.items():
            home.add_versions(model, contents, is_registered=data.draw(st.booleans()))
        known = [(model, number + 1) for model in MODELS for number in range(len(versions[model]))]
        some = st.lists(st.sampled_from(known), unique=True, max_size=3) if known else st.just([])
        releases = [home.add_release(number, data.draw(some)) for number in range(data.draw(st.integers(1, 6)))]
        current = data.draw(st.sampled_from(releases), label="current")
        home.point_at(current)
        unreadable = data.draw(st.sets(st.sampled_from(releases), max_size=2), label="unreadable") - {current}
        for name in unreadable:
            (home.home / "releases" / name / "manifest.json").write_text('{"format": 1}')
        for number, (model, version) in enumerate(data.draw(some, label="moves")):
            home.execute(
                "insert into registry.model_aliases values (?, ?, ?, to_timestamp(?))",
                (model, data.draw(st.sampled_from(["champion", "shadow"])), version, number),
            )
        for model, version in data.draw(some, label="aliases"):
            home.execute("insert into registry.current_aliases values (?, 'challenger', ?)", (model, version))
        for name in FOREIGN:
            (home.home / name).parent.mkdir(parents=True, exist_ok=True)
            (home.home / name).write_text(name)
        noted = {
            home.artifact("models/arrivals", content)[0] for content in data.draw(st.lists(st.sampled_from("axyz")))
        }
        state, sha256 = home.artifact("datasets/orders", "state")
        home.execute("insert into registry.datasets values ('orders', 1, ?, ?)", (state, sha256))
        for place in data.draw(st.sets(st.sampled_from(["releases/r", "artifacts/models/arrivals/a"]))):
            files.aside(home.home / place).write_text("torn")
        keep = data.draw(st.integers(1, 4), label="keep")

        before = home.state()
        go = expected_to_go(home, keep, noted | {state}, unreadable)
        left = collect(home, keep)
        assert home.state() == {file: content for file, content in before.items() if file not in go}
        assert len(left) == len(unreadable)
        collect(home, keep)
        assert set(home.state()) == set(before) - go


@pytest.fixture
def home(tmp_path: Path) -> MadeUpHome:
    """Five versions and five releases, of which the last is current."""
    made = MadeUpHome(tmp_path / "home")
    made.add_versions("arrivals", [(content, None) for content in "abcde"])
    for number in range(5):
        made.point_at(made.add_release(number, [("arrivals", number + 1)]))
    return made


def test_what_is_no_part_of_a_release_or_lies_behind_a_link_stays(home: MadeUpHome, tmp_path: Path) -> None:
    oldest, second = (path.parent for path in sorted(home.home.glob("releases/*/manifest.json"), key=_created)[:2])
    (oldest / "notes.txt").write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    shutil.move(second, elsewhere)
    second.symlink_to(elsewhere)
    outside = tmp_path / "models"
    shutil.move(home.home / "artifacts" / "models", outside)
    (home.home / "artifacts" / "models").symlink_to(outside)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".duckdb"}
    left = collect(home, keep=1)
    gone = {path for path in before if not path.exists()}
    assert gone and all(path.is_relative_to(home.home / "releases") for path in gone)
    assert (oldest / "notes.txt").exists() and (elsewhere / "manifest.json").exists()
    assert "notes.txt: is no part of the release" in " ".join(left)


def _created(manifest: Path) -> str:
    return str(json.loads(manifest.read_text())["created_at"])


def test_a_dataset_s_present_state_stays_before_it_is_recorded(home: MadeUpHome) -> None:
    state, _ = home.artifact("datasets/orders", "state")
    home.execute("create table datasets.orders (id integer)")
    home.execute(f"comment on table datasets.orders is '{json.dumps({'artifact': state})}'")
    collect(home, keep=10)
    assert state in home.state()


def test_the_notes_of_another_warehouse_are_not_followed(home: MadeUpHome) -> None:
    path = home.home / "artifacts" / "models" / "arrivals" / "other.txt"
    files.note_unregistered(path, '"another"."training"."scored"')
    path.touch()
    collect(home, keep=10)
    assert path.exists()


def test_nothing_goes_where_the_current_release_cannot_be_read_or_is_not_of_the_warehouse(home: MadeUpHome) -> None:
    before = home.state()
    current = (home.home / "releases" / "current").read_text().strip()
    home.execute("update training.scored set version = version + 10")
    home.execute("update registry.model_versions set version = version + 10")
    with pytest.raises(WarehouseError, match="holds arrivals_v5, which the warehouse does not record"):
        collect(home, keep=1)
    (home.home / "releases" / current / "manifest.json").write_text("{")
    with pytest.raises(ReleaseError, match="cannot be read"):
        collect(home, keep=1)
    (home.home / "releases" / "current").unlink()
    with pytest.raises(ReleaseError, match="no release has been published"):
        collect(home, keep=1)
    assert set(before) - {"releases/current"} == set(home.state())


def test_a_home_before_its_first_release(tmp_path: Path) -> None:
    home = MadeUpHome(tmp_path / "home")
    assert collect(home, keep=1) == []
    assert set(home.state()) == {"raw/clock.csv"}


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ("select 1", {"a", "b"}),
        ("insert into registry.current_aliases values ('arrivals', 'shadow', 1)", {"b"}),
        ("insert into registry.model_aliases values ('arrivals', 'shadow', 2, now())", {"a"}),
        (
            "insert into registry.model_aliases values ('arrivals', 'shadow', 1, '2026-01-01'), "
            "('arrivals', 'shadow', 2, '2026-01-02')",
            {"a"},
        ),
        (
            "insert into registry.datasets select 'orders', 1, artifact, '' from training.scored where version = 1",
            {"b"},
        ),
    ],
)
def test_what_keeps_an_artifact(home: MadeUpHome, change: str, gone: set[str]) -> None:
    """Of the five versions the latest three stay, and what an alias names."""
    home.execute(change)
    before = home.state()
    collect(home, keep=1)
    went = [content.decode() for file, content in before.items() if file not in home.state()]
    assert {content for content in went if len(content) == 1} == gone
