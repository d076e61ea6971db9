"""Promotion: the rule in SQL, decisions by hand that take effect at once, and how the next run takes them up."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

import eiderdown
from eiderdown.cli import app
from eiderdown.demonstration import tour
from ml.errors import ArtifactError, DeclarationError, ReleaseError
from ml.promotion import decide
from ml.promotion.decision import decisions_folder, read_decisions
from ml.promotion.environments import bring_over
from ml.registry.models import kept_models
from ml.release.manifest import current_release, read_manifest
from serving.app import create_app
from serving.releases.release import Release
from serving.settings import Settings
from tests.conftest import REPOSITORY, Project

FOLDING = ("decisions", "version_notes", "promotion_checks", "model_aliases", "current_aliases", "releases")
HISTORY = (
    "select version, reason, decided_by, event_id, since from registry.model_aliases "
    "where model = 'flight_delay' order by since"
)


@pytest.fixture(scope="module")
def two_versions(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The demonstration at night, with a second version of each model that its rule does not promote. Read it only."""
    project = _copy(built, tmp_path_factory.mktemp("two"))
    _declare(project, "seed: 1", "seed: 7")
    _declare(project, "split: test}", "split: test, min_gain: 1}")
    project.set_clock("2013-12-31T23:00:00Z")
    project.dbt("run")
    yield project


@pytest.fixture
def second(two_versions: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of it, to change, as this environment."""
    project = _copy(two_versions, tmp_path / "second")
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    return project


def _copy(project: Project, folder: Path) -> Project:
    shutil.copytree(project.folder, folder, dirs_exist_ok=True)
    return Project(folder)


def _declare(project: Project, old: str, new: str, count: int = -1) -> None:
    """Edit the models' YAML: everywhere, or with a count of one for flight_delay alone."""
    yaml = project.folder / "models" / "training" / "_training.yml"
    assert old in yaml.read_text()
    yaml.write_text(yaml.read_text().replace(old, new, count))


def _command(*arguments: str, succeeds: bool = True) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    assert (result.exit_code == 0) is succeeds, result.output
    return result.output


def _released(query: str) -> list[tuple]:
    with eiderdown.connect() as connection:
        return connection.execute(query).fetchall()


def _champion(project: Project) -> int:
    folder = project.home / "releases"
    return read_manifest(folder / current_release(folder)).aliases["flight_delay"]["champion"]


RULE = "split: test, min_gain: 0.01, confidence: 0.95, max_slice_loss: 0.02, max_calibration_error: 0.1}"
# Version: (difference, low, difference on a slice, calibration error), and which parts it passes.
CANDIDATES = {
    11: ((0.05, 0.02, -0.01, 0.05), {"gain", "interval", "slices", "calibration"}),
    12: ((0.01, 0.02, -0.01, 0.05), {"interval", "slices", "calibration"}),
    13: ((0.05, 0.01, -0.01, 0.05), {"gain", "slices", "calibration"}),
    14: ((0.05, 0.02, -0.03, 0.05), {"gain", "interval", "calibration"}),
    15: ((0.05, 0.02, -0.02, 0.11), {"gain", "interval", "slices"}),
    16: ((None, None, None, None), {"slices"}),
    17: ((0.05, 0.02, None, 0.1), {"gain", "interval", "slices", "calibration"}),
}


def test_each_part_of_the_rule_is_checked_alone(project: Project) -> None:
    _declare(project, "promote: {metric: auc, split: test}", f"promote: {{metric: auc, {RULE}")
    for version, ((difference, low, on_slice, error), _) in CANDIDATES.items():
        for name, found in (("all", difference), ("carrier=AA", on_slice), ("carrier=UA", 0.1 if on_slice else None)):
            values = [0.8, 0.7, found, low, 0.9]
            project.write(
                f"insert into registry.model_comparisons select 'flight_delay', {version}, 1, 9, 'test', '{name}', 'auc', "
                + ", ".join("null" if value is None else str(value) for value in values)
                + ", 100"
            )
        project.write(
            "insert into registry.model_metrics by name select 'flight_delay' as model, 9 as dataset_version, 'test' as split, "
            f"{version} as version, 'all' as slice, 'calibration_error' as metric, {error or 'null'} as value, 1 as row_count"
        )
    project.dbt("run", "-s", "promotion_checks")
    checks = project.query("select version, rule, is_passed, text from registry.promotion_checks")
    assert len(checks) == 4 * len(CANDIDATES)
    for version, (_, passed) in CANDIDATES.items():
        assert {rule for number, rule, is_passed, _ in checks if number == version and is_passed} == passed
    texts = {(version, rule): text for version, rule, _, text in checks}
    assert texts[12, "gain"] == (
        "auc on test is 0.800000, version 1 has 0.700000: better by 0.010000, better by more than 0.01 is asked"
    )
    assert texts[13, "interval"].startswith("the 95 % interval of the difference is 0.010000 to 0.900000")
    assert texts[14, "slices"].startswith("the worst slice is carrier=AA, worse by 0.030000")
    assert texts[15, "calibration"].startswith("the calibration error on test is 0.110000")
    assert texts[16, "gain"] == "the gain cannot be told: there is no value"


def test_decisions_take_effect_at_once_and_the_next_run_takes_them_up(second: Project) -> None:
    first_release = current_release(second.home / "releases")
    assert _champion(second) == 1
    with TestClient(create_app(Settings(poll_seconds=3600))) as client:

        def answered_by() -> int:
            client.app.state.current.refresh()  # type: ignore[attr-defined]
            return client.post("/predict/flight_delay", json={"instances": [tour.INSTANCE]}).json()["version"]

        assert answered_by() == 1
        said = json.loads(_command("promote", "flight_delay", "2", "--reason", "to try it", "--json"))
        assert (said["version"], said["previous"], said["kind"]) == (2, 1, "promote")
        assert answered_by() == 2
        assert "in the place of version 2" in _command("rollback", "flight_delay", "--reason", "late at night")
        assert answered_by() == 1
    _command("promote", "flight_delay", "2", "--alias", "challenger")
    _command("describe", "flight_delay", "2", "--description", "another seed", "--tag", "seed", "--tag", "trial")
    _command("describe", "flight_delay", "2", "--tag", "kept")
    release = current_release(second.home / "releases")
    assert release != first_release
    assert kept_models().aliases["flight_delay"] == {"champion": 1, "challenger": 2}
    assert _released("select description, tags from registry.version_notes") == [("another seed", ["kept"])]
    tables = ("registry.model_aliases", "registry.current_aliases", "registry.version_notes", "registry.decisions")
    at_once = {table: _released(f"from {table} order by all") for table in tables}

    # What is no event, and one that no command writes.
    (decisions_folder(second.home) / "torn.jsonl").write_text('{"event_id": "1", "deci')
    whole = [json.loads(path.read_text()) for path in decisions_folder(second.home).glob("2*.jsonl")]
    nobodys = [event | {"event_id": f"{number}", "version": 9} for number, event in enumerate(whole)]
    (decisions_folder(second.home) / "unknown.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in nobodys))

    # A run folds each once, and publishes nothing new; a rule that would promote version 2 does not undo the rollback.
    _declare(second, "min_gain: 1}", "min_gain: -1}", count=1)
    for _ in range(2):
        second.dbt("run", "-s", *FOLDING, "event_files")
        assert current_release(second.home / "releases") == release
        for table in tables[:3]:
            assert second.query(f"from {table} order by all") == at_once[table]
    assert second.query("select event_count, torn_count from monitoring.event_files where file = 'torn.jsonl'") == [
        (0, 1)
    ]
    assert [row[:3] for row in second.query(HISTORY) if row[2] != "rule" or row[0] == 1] == [
        (1, "first version", "rule"),
        (2, "promoted by hand: to try it", at_once[tables[3]][0][5]),
        (1, "rolled back from version 2: late at night", at_once[tables[3]][0][5]),
        (2, "promoted by hand", at_once[tables[3]][0][5]),
    ]
    assert kept_models().aliases["flight_delay"] == {"champion": 1, "challenger": 2}
    assert second.query("select bool_and(is_passed) from registry.promotion_checks where model = 'flight_delay'") == [
        (True,)
    ]

    # A version that is made after the decision is promoted by the rule, which says its figures.
    _declare(second, "seed: 7", "seed: 9", count=1)
    second.dbt("run", "-s", "flight_delay+")
    assert _champion(second) == 3
    assert second.query(HISTORY)[-1][1].startswith("auc on test is 0.")
    assert current_release(second.home / "releases") != release


def test_what_is_refused_changes_nothing(second: Project) -> None:
    before = _state(second)
    with pytest.raises(
        DeclarationError, match=r"no version 7 of a model 'flight_delay'.*flight_delay 1, flight_delay 2"
    ):
        decide.promote("flight_delay", 7)
    with pytest.raises(DeclarationError, match="'1st' is no alias"):
        decide.promote("flight_delay", 2, "1st")
    with pytest.raises(DeclarationError, match="no champion before version 1"):
        decide.roll_back("flight_delay")
    with pytest.raises(DeclarationError, match="version 2 has never been flight_delay's champion"):
        decide.roll_back("flight_delay", to=2)
    with pytest.raises(DeclarationError, match=r"no model 'flights' with a champion; the models are .*flight_delay"):
        decide.roll_back("flights")
    with pytest.raises(DeclarationError, match="nothing is said of it"):
        decide.describe("flight_delay", 2)
    assert _state(second) == before

    # Not in the release, and trained on another meaning of a view.
    index = second.home / "artifacts" / "models" / "versions.json"
    stored = json.loads(index.read_text())
    (row,) = [row for row in stored["versions"] if (row["model"], row["version"]) == ("flight_delay", 2)]
    row["version"] = 3
    row["signature"]["views"][0]["fingerprint"] = "another"
    index.write_text(json.dumps(stored))
    with pytest.raises(ReleaseError, match="flight_delay version 3 was trained on another meaning of"):
        decide.promote("flight_delay", 3)
    # An artifact that scores otherwise than its canary.
    row["signature"]["views"] = next(r for r in stored["versions"] if r["version"] == 1)["signature"]["views"]
    row["canary"]["scores"][0][0] = "0x1.0p-1"
    index.write_text(json.dumps(stored))
    with pytest.raises(ArtifactError, match="the canary's row 0 scores"):
        decide.promote("flight_delay", 3)
    assert _state(second) == before


def _state(project: Project) -> tuple[str, list[str], list[Any]]:
    folder = project.home / "releases"
    name = current_release(folder)
    assert Release(folder / name).name == name
    assert not list(project.home.rglob(".aside-*"))
    return name, sorted(path.name for path in folder.iterdir()), read_decisions(project.home)


def test_the_champion_before_is_one_that_was_not_rolled_back(second: Project) -> None:
    decide.promote("flight_delay", 2)
    assert decide.roll_back("flight_delay").decision.version == 1
    with pytest.raises(DeclarationError, match="no champion before version 1"):
        decide.roll_back("flight_delay")
    assert decide.roll_back("flight_delay", to=2).decision.previous == 1
    decide.promote("flight_delay", 1)
    assert decide.roll_back("flight_delay").decision.version == 2


def test_decisions_at_once_come_one_after_the_other(second: Project) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: decide.promote("flight_delay", 2, alias=f"choice_{number}"), range(4)))
    history = _released(HISTORY)[1:]
    assert [row[3] for row in history] == [decision.event_id for decision in read_decisions()]
    assert {row[3] for row in history} == {one.decision.event_id for one in made}
    folder = second.home / "releases"
    named = read_manifest(folder / current_release(folder)).aliases["flight_delay"]
    assert named == {"champion": 1} | {f"choice_{number}": 2 for number in range(4)}
    _state(second)


def test_what_is_champion_is_not_promoted_again(second: Project) -> None:
    with pytest.raises(DeclarationError, match="version 1 is flight_delay's champion already"):
        decide.promote("flight_delay", 1)
    assert read_decisions() == []


def _promote(*kill_at_operation: int) -> str:
    command = [sys.executable, "-m", "tests.faults.killed_promotion", *map(str, kill_at_operation)]
    child = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert child.returncode == (-signal.SIGKILL if kill_at_operation else 0), child.stderr
    return child.stdout


def test_a_command_that_is_killed_anywhere_leaves_the_old_or_a_decision_that_comes_to_effect(
    second: Project,
) -> None:
    folder = second.home / "releases"
    before = current_release(folder)
    kept = second.folder / "kept"
    shutil.copytree(folder, kept)
    operations = int(_promote())
    after = current_release(folder)
    outcomes = set()
    # The last are the event, the release's place and the pointer; a sample of those before, which write aside.
    for operation in [1, operations // 2, *range(operations - 9, operations + 1)]:
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        for event in decisions_folder(second.home).glob("2*"):
            event.unlink()
        _promote(operation)
        is_decided = bool(read_decisions())
        current = current_release(folder)
        assert Release(folder / current).name == current
        assert current == before or is_decided
        assert kept_models().aliases["flight_delay"]["champion"] == (2 if is_decided else 1)
        outcomes.add((is_decided, _champion(second)))
        if (is_decided, current) == (True, before):
            shutil.copytree(folder, second.folder / "decided", dirs_exist_ok=True)
    # The pointer is what is written last.
    assert outcomes == {(False, 1), (True, 1)}

    # The event is there and the release not: publishing brings it, also where the registry has not been built since.
    shutil.rmtree(folder)
    shutil.copytree(second.folder / "decided", folder)
    second.dbt("run", "-s", "releases")
    assert current_release(folder) == after
    assert _champion(second) == 2
    assert second.query("select max(version) from registry.current_aliases where model = 'flight_delay'") == [(1,)]


def test_a_version_comes_over_from_another_environment(
    two_versions: Project, built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prod = _copy(built, tmp_path / "prod")
    monkeypatch.setenv("EIDERDOWN_HOME", str(prod.home))
    monkeypatch.setenv("EIDERDOWN_HOME_DEV", str(two_versions.home))
    said = _command("promote", "flight_delay", "2", "--from", "dev", "--reason", "good in dev")
    assert "flight_delay version 2 (dev:flight_delay@2) is the champion, in the place of version 1" in said
    assert _champion(prod) == 2
    with TestClient(create_app(Settings(poll_seconds=3600))) as client:
        answer = client.post("/predict/flight_delay", json={"instances": [tour.INSTANCE]}).json()
        assert answer["version"] == 2
    (there,) = two_versions.query(
        "select dataset_version, artifact, artifact_sha256, signature::varchar, canary::varchar, inputs::varchar, created_at, "
        "row_counts, learning_curve from registry.model_versions where model = 'flight_delay' and version = 2"
    )
    assert there[0] == 2
    assert (prod.home / there[1]).read_bytes() == (two_versions.home / there[1]).read_bytes()
    assert kept_models().find("flight_delay").origin == "dev:flight_delay@2"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EIDERDOWN_HOME", str(two_versions.home))
        expected = eiderdown.dataset("flight_delay", 2).to_arrow()
    assert eiderdown.dataset("flight_delay", 2).to_arrow() == expected
    assert eiderdown.dataset("flight_delay").version == 1

    # A second time, it is here already.
    assert bring_over("flight_delay", 2, "dev").decision.kind == "promote"

    release = current_release(prod.home / "releases")
    prod.dbt("run", "-s", *FOLDING, "registry.datasets", "model_versions")
    assert current_release(prod.home / "releases") == release
    columns = (
        "dataset_version, artifact, artifact_sha256, signature::varchar, canary::varchar, inputs::varchar, created_at, "
    )
    assert prod.query(
        f"select {columns} row_counts, learning_curve from registry.model_versions where model = 'flight_delay' and version = 2"
    ) == [there]
    assert prod.query("select version, origin from registry.datasets order by version") == [
        (1, None),
        (2, "dev:flight_delay@2"),
    ]
    reasons = [row[:2] for row in prod.query(HISTORY)]
    assert reasons[1] == (2, "brought over from dev:flight_delay@2: good in dev")

    # The next training here takes the next number and this project's own data, and all three are compared.
    prod.dbt("run")
    assert prod.query("select version, dataset_version from training.flight_delay order by version") == [(1, 1), (3, 1)]
    assert prod.query(
        "select distinct version, champion from registry.model_comparisons where model = 'flight_delay' order by all"
    ) == [(3, 1), (3, 2)]
    assert prod.query("select max(version) from registry.datasets where origin is null") == [(1,)]


def test_what_cannot_come_over_is_refused(
    second: Project, built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prod = _copy(built, tmp_path / "prod")
    monkeypatch.setenv("EIDERDOWN_HOME", str(prod.home))
    before = _state(prod)
    with pytest.raises(DeclarationError, match=r"--from nowhere: .* EIDERDOWN_HOME_NOWHERE"):
        bring_over("flight_delay", 2, "nowhere")
    with pytest.raises(DeclarationError, match="that is this environment"):
        bring_over("flight_delay", 2, str(prod.home))
    with pytest.raises(DeclarationError, match="second has no version 9 of the model 'flight_delay'"):
        bring_over("flight_delay", 9, str(second.home))
    index = second.home / "artifacts" / "models" / "versions.json"
    stored = index.read_text()
    fingerprint = json.loads(stored)["versions"][1]["signature"]["views"][0]["fingerprint"]
    index.write_text(stored.replace(fingerprint, "another"))
    with pytest.raises(DeclarationError, match=r"of second reads \w+_v\d, which means something else"):
        bring_over("flight_delay", 2, str(second.home))
    index.write_text(stored)
    row = next(r for r in json.loads(stored)["versions"] if (r["model"], r["version"]) == ("flight_delay", 2))
    artifact = second.home / row["artifact"]
    artifact.write_bytes(artifact.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="it was altered or torn"):
        bring_over("flight_delay", 2, str(second.home))
    assert _state(prod) == before
