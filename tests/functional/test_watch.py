"""The watch over a real project: data comes, a build fails and is mended, and a decision trains the model anew."""

import json
import re

import duckdb
import pytest

from ml.alerts.state import acknowledge, read_alerts
from ml.release.manifest import current_release, read_manifest
from ml.watching.build import Built
from ml.watching.build import read_manifest as read_dbt_manifest
from ml.watching.watch import Watch
from tests.conftest import Project, copy_machines, messages
from tests.tuned import drop_other_models

SOURCES = """version: 2
sources:
  - name: raw
    config: {meta: {external_location: "read_csv('{{ env_var('EIDERDOWN_HOME') }}/raw/{name}.csv')"}}
    tables: [{name: readings}, {name: clock}]
"""
RULES = """
      alerts:
        +meta:
          alerts:
            rules:
              - {name: failed_build, table: builds, where: not is_success}
              - {name: drift, table: drift, where: is_drifted, subject: feature, for_windows: 2}
"""
DRIFT = """
    relation varchar, comparison varchar, window_at timestamptz, slice varchar, feature varchar, method varchar, value double,
    threshold double, p_value double, adjusted_p_value double, reference_count bigint, row_count bigint, is_beyond boolean,
    is_drifted boolean
"""
RETRAIN = """
          baseline: false
          parameters: {num_boost_round: 3}
          promote: {metric: auc, min_gain: -1}
          retrain: {on_decision: {new_share: 0.15}}
"""


def write_readings(project: Project, steps: int, column: str = "temperature") -> None:
    """Eight machines, each read so many times."""
    raw = project.home / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    duckdb.execute(
        f"""copy (
            select
                machine as machine_id,
                timestamptz '2024-01-01T00:00:00Z' + to_hours(6 * step) as read_at,
                60.5 + hash(machine, step) % 20 as {column},
                hash(machine, step, 'stops') % 20 < hash(machine, step) % 20 as stopped
            from range(8) as machines (machine), range({steps}) as steps (step)
        ) to '{raw}/readings.csv' (header)"""
    )


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One model that waits for decisions, over raw files."""
    project = copy_machines(tmp_path_factory.mktemp("watched") / "machines")
    models = project.folder / "models"
    drop_other_models(project)
    declared = models / "training" / "training.yml"
    declared.write_text(
        declared.read_text()
        .split("  - name: next_temperature")[0]
        .replace("\n          serving: {slo_ms: 20}\n", RETRAIN)
    )
    (models / "staging" / "readings.sql").write_text("select * from {{ source('raw', 'readings') }}\n")
    (models / "staging" / "clock.sql").write_text("select as_of, true as replay from {{ source('raw', 'clock') }}\n")
    (models / "staging" / "sources.yml").write_text(SOURCES)
    # A table of monitoring that is made up by hand, and not built by dbt.
    (models / "monitoring" / "drift.sql").write_text("select * from {{ ref('readings') }}\n")
    (models / "monitoring" / "alerts.sql").write_text("{{ eiderdown.alerts([ref('event_files'), ref('drift')]) }}\n")
    with (project.folder / "dbt_project.yml").open("a") as configured:
        configured.write(RULES)
    (models / "monitoring" / "retraining.sql").write_text("{{ eiderdown.retraining([ref('drift')]) }}\n")
    write_readings(project, 60)
    (project.home / "raw" / "clock.csv").write_text("as_of\n2024-05-30T00:00:00Z\n")
    project.dbt("deps")
    project.write(f"create schema monitoring; create table monitoring.drift ({DRIFT})")
    return project


class InProcess:
    """dbt in this process, for a watch. fails: whether the next build is to fail."""

    def __init__(self, project: Project) -> None:
        self.project, self.fails = project, False

    def __call__(self, command: str, *arguments: str) -> Built:
        built = command == "build"
        left_out = ["--exclude", "drift"] if built else []
        result = self.project.dbt(command, *arguments, *left_out, succeeds=not (built and self.fails))
        return Built(result.success, "" if result.success else messages(result))


def versions(project: Project) -> list[tuple]:
    return project.query("select version, reason from registry.model_versions order by version")


def alerts(project: Project) -> list[tuple]:
    return project.query("select rule, subject, status from monitoring.alerts order by rule")


def test_from_new_data_to_a_model_that_is_trained_anew(machines: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(machines.folder)
    monkeypatch.setenv("EIDERDOWN_HOME", str(machines.home))
    monkeypatch.delenv("EIDERDOWN_ALERT_WEBHOOK", raising=False)
    releases = machines.home / "releases"
    dbt = InProcess(machines)
    watch = Watch(dbt, read_dbt_manifest, lambda _: None)

    first = watch.round()
    assert (first.state, first.selection, first.goes_on) == ("built", [], False)
    assert versions(machines) == [(1, "first version")]
    assert alerts(machines) == []
    release = current_release(releases)
    assert watch.round().state == "idle"

    # A file that lost a column: the release before goes on serving, and people are told.
    write_readings(machines, 64, column="heat")
    dbt.fails = True
    failed = watch.round()
    assert (failed.state, failed.selection) == ("failed", ["source:machines.raw.readings+"])
    assert current_release(releases) == release
    [told] = [json.loads(line) for line in (machines.home / "alerts" / "alerts.jsonl").read_text().splitlines()]
    assert told["event"] == "opened"
    assert "temperature" in told["alert"]["text"]
    assert watch.round().state == "waiting"
    acknowledge(told["alert"]["alert"], by="ada", note="the feed changed")

    # Mended, with a few rows more: not enough to train anew, by the rule.
    dbt.fails = False
    write_readings(machines, 64)
    mended = watch.round()
    assert (mended.state, mended.goes_on) == ("built", True)
    assert alerts(machines) == [("failed_build", "dbt build", "acknowledged")]
    assert machines.query("select alert, acknowledged_by, note from monitoring.alerts") == [
        (told["alert"]["alert"], "ada", "the feed changed")
    ]
    assert machines.query("select decision from monitoring.retraining") == [("keep",)]
    kept = machines.query("select decision, reason from registry.training_decisions")
    assert kept == [("kept", "waits for a decision (other rows); rows more than it learned from: 32")]
    assert watch.round().selection == ["source:eiderdown.events.builds+"]
    assert alerts(machines) == [("failed_build", "dbt build", "resolved")]
    assert [(alert["status"], alert["note"]) for alert in read_alerts().alerts] == [("resolved", "the feed changed")]

    # Enough rows, and a feature that has drifted in two windows.
    rows = ", ".join(
        f"('datasets.stops', 'previous', '2024-03-0{day}', 'all', 'temperature', 'psi', 0.4, 0.2, null, null, 9, 9, true, true)"
        for day in (1, 2)
    )
    machines.write(f"insert into monitoring.drift values {rows}")
    write_readings(machines, 80)
    decided = watch.round()
    assert (decided.state, decided.goes_on, decided.retrain) == ("built", True, [])
    assert alerts(machines)[0] == ("drift", "temperature", "open")
    assert [version for version, _ in versions(machines)] == [1]
    trained = watch.round()
    assert (trained.retrain, trained.goes_on) == (["will_stop"], False)
    assert trained.selection == ["source:eiderdown.events.retrain+", "will_stop+"]
    [_, (version, reason)] = versions(machines)
    assert version == 2
    assert re.fullmatch(
        r"33\.3 % more rows than it learned from \(decision \w{32} of monitoring\.retraining\); other rows", reason
    )
    assert machines.query("select version, reason from registry.current_aliases where alias = 'champion'")[0][0] == 2
    assert read_manifest(releases / current_release(releases)).aliases == {"will_stop": {"champion": 2}}
    assert machines.query("select version, decision from monitoring.retraining order by version") == [
        (1, "retrain"),
        (2, "keep"),
    ]
    assert watch.round().state == "idle"
