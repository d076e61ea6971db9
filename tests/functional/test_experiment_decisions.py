"""Decisions about experiments through the command line and the watch: over a project that declares one."""

import dataclasses
import json
from pathlib import Path

import pytest

from ml.experiments.decide import experiments, promote_full_canaries
from ml.experiments.states import read_states, write_state
from tests.conftest import Project
from tests.functional.test_promotion import FOLDING, _champion, _command, _declare, second, two_versions

__all__ = ["second", "two_versions"]
CANARY = """slices: [origin, carrier]
          serving:
            experiment:
              name: newer
              policy: canary
              arms: {canary: flight_delay@challenger, control: flight_delay@champion}
"""


@pytest.fixture
def declared(second: Project) -> Project:
    """The demonstration with two versions and a canary of the newer, which has the alias."""
    _declare(second, "slices: [origin, carrier]\n", CANARY, 1)
    second.dbt("run", "-s", "training_decisions", *FOLDING)
    return second


def test_a_canary_that_has_all_requests_becomes_champion(declared: Project) -> None:
    [waiting] = json.loads(_command("experiments", "list", "--json"))
    assert waiting["status"] == "waiting"
    assert waiting["reason"] == "the arm canary waits for a version with the alias flight_delay@challenger"
    assert promote_full_canaries() == []

    _command("promote", "flight_delay", "2", "--alias", "challenger")
    shown = json.loads(_command("experiments", "list", "--json"))
    assert [(row["arm"], row["version"], row["weight"]) for row in shown] == [
        ("control", "flight_delay@1", 0.99),
        ("canary", "flight_delay@2", 0.01),
    ]
    assert promote_full_canaries() == []

    [running] = experiments()
    assert running.state is not None
    full = dataclasses.replace(
        running.state, status="full", reason="It loses no more.", weights={"control": 0.0, "canary": 1.0}
    )
    write_state(full)
    [decided] = promote_full_canaries()
    assert (decided.decision.version, decided.decision.reason) == (
        2,
        "promoted by the canary newer: It loses no more.",
    )
    assert _champion(declared) == 2
    # Its arms are one version now, so there is nothing to compare, and nothing to promote again.
    [over] = experiments()
    assert over.reason == "the arms control and canary are the same version of flight_delay, 2"
    assert promote_full_canaries() == []
    declared.dbt("run", "-s", *FOLDING)
    assert declared.query("select reason from registry.model_aliases where alias = 'champion' and version = 2") == [
        ("promoted by the canary newer: It loses no more.",)
    ]
    # Who takes it back has the last word.
    _command("rollback", "flight_delay")
    [back] = experiments()
    assert back.state is not None
    assert (back.status, back.state.weights) == ("stopped", {"control": 1.0, "canary": 0.0})
    assert promote_full_canaries() == []
    assert _champion(declared) == 1


def test_an_experiment_is_stopped_by_hand(declared: Project, tmp_path: Path) -> None:
    assert "Nothing is to be stopped" in _command("experiments", "stop", "newer", succeeds=False)
    _command("promote", "flight_delay", "2", "--alias", "challenger")
    assert "Did you mean 'newer'?" in _command("experiments", "stop", "never", succeeds=False)
    stopped = json.loads(_command("experiments", "stop", "newer", "--reason", "a complaint", "--json"))
    assert stopped["status"] == "stopped"
    assert stopped["reason"].endswith(": a complaint")
    assert {row["arm"]: row["weight"] for row in json.loads(_command("experiments", "list", "--json"))} == {
        "control": 1.0,
        "canary": 0.0,
    }
    # Whoever did not know yet goes no further.
    [state] = read_states().values()
    write_state(dataclasses.replace(state, status="running", weights={"control": 0.5, "canary": 0.5}))
    assert [one.status for one in experiments()] == ["stopped"]
    assert "Nothing is to be stopped" in _command("experiments", "stop", "newer", succeeds=False)
