"""Declarations of experiments: their mistakes, what stands for them, and the versions that a release carries for them."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ml.errors import DeclarationError
from ml.experiments.declaration import SETTINGS, Arm, ExperimentSpec
from ml.experiments.policies import POLICIES
from ml.release.models import write_models
from ml.training.declarations import problems

ARMS = {"control": "stops@champion", "treatment": "stops@3"}
GOOD: dict[str, Any] = {"name": "trial", "policy": "ab", "arms": ARMS}
NOT_SHARES = "experiment.steps must be growing shares between 0 and 1, such as [0.01, 0.1, 0.5]."


def parse(declared: Any, task: str = "binary") -> ExperimentSpec:
    return ExperimentSpec.parse("experiment", task, declared)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"polcy": "ab"}, "experiment has the unknown field 'polcy'. Did you mean 'policy'?"),
        ({"steps": [0.1]}, "experiment has the unknown field 'steps'"),
        ({"policy": "abc"}, "experiment.policy is 'abc'; it must be one of ab, canary, .* Did you mean 'ab'?"),
        ({"policy": ["ab"]}, "experiment.policy is .* it must be one of"),
        ({"name": "a trial"}, "experiment.name is 'a trial'; take a word of letters"),
        ({"name": None}, "experiment.name is 'None'; take a word"),
        ({"name": "é"}, "experiment.name is 'é'; take a word"),
        ({"arms": ["stops@1"]}, "experiment.arms must be a mapping of 2 to 16 names to versions, one of them control"),
        ({"arms": {"a": "stops@1", "b": "stops@2"}}, "one of them control, such as"),
        ({"arms": {"control": "stops@1"}}, "experiment.arms must be a mapping of 2 to 16"),
        ({"policy": "canary", "arms": ARMS | {"c": "stops@1"}}, "experiment.arms must be a mapping of 2 names"),
        (
            {"arms": {"control": "stops@1", "b": "stops"}},
            "experiment.arms.b is 'stops'; it must be a model and an alias or",
        ),
        ({"arms": {"control": "stops@1", "b": "stops@0"}}, "experiment.arms.b is 'stops@0'; .* such as churn@champion"),
        ({"arms": {"control": "stops@1", "b": "stops@1\n"}}, "experiment.arms.b is"),
        ({"arms": {"control": "stops@1", "b": 3}}, "experiment.arms.b is '3'"),
        ({"arms": {"control": "stops@1", 2: "stops@2"}}, "experiment.arms is '2'; take a word"),
        ({"arms": {"control": "stops@1", "b": "stops@1"}}, "experiment.arms has the same version twice; leave one out"),
        ({"loss": "birer"}, "experiment.loss is 'birer'; it must be one of brier, .* Did you mean 'brier'?"),
        ({"loss": "squared"}, "experiment.loss is 'squared'; it must be one of brier, log_loss, error"),
        ({"loss_scale": 60}, "experiment.loss_scale is for a regression; remove it"),
        ({"unit": "machine"}, "experiment.unit must be a list of request fields, such as"),
        ({"unit": ["a", "a"]}, "experiment.unit must be a list"),
        ({"unit": [["a"]]}, "experiment.unit must be a list"),
        ({"weights": [1, 2]}, "experiment.weights must give each arm a number: control, treatment"),
        ({"weights": {"control": 1}}, "experiment.weights must give each arm a number: control, treatment"),
        ({"weights": {"control": 1, "treatment": -1}}, "experiment.weights.treatment is '-1'; .* at least 0"),
        ({"weights": {"control": True, "treatment": 1}}, "experiment.weights.control is 'True'; it must be a number"),
        ({"weights": {"control": float("nan"), "treatment": 1}}, "experiment.weights.control is 'nan'"),
        ({"weights": {"control": 0, "treatment": 0}}, "experiment.weights are all 0; give an arm more"),
        *(
            ({"policy": "canary", "steps": steps}, NOT_SHARES.replace("[", r"\["))
            for steps in ([], 0.5, [0.5, 0.1], [0.1, 0.1], [0, 0.5], [0.5, 1], ["a"], [True], [float("nan")], None)
        ),
        *(
            ({"policy": "canary", "step_outcomes": count}, f"experiment.step_outcomes is '{count}'; it must be a whole")
            for count in (0, -1, 1.5, True, "2", None)
        ),
        ({"policy": "exp3", "memory": 0}, "experiment.memory is '0'; it must be a whole number of outcomes"),
        (
            {"policy": "canary", "margin": 0},
            "experiment.margin is '0'; it must be a number of at least 1e-09 and of at most 1",
        ),
        ({"policy": "canary", "margin": None}, "experiment.margin is 'None'; it must be a number"),
        (
            {"policy": "canary", "error": 0.6},
            "experiment.error is '0.6'; .* of at most 0.5, the probability to stop a canary",
        ),
        ({"policy": "ensemble", "deadline_ms": 0}, "experiment.deadline_ms is '0'; .* of at most 60000, milliseconds"),
    ],
)
def test_an_error_says_field_reason_and_remedy(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        parse(GOOD | change)


@pytest.mark.parametrize("field", ["name", "policy", "arms"])
def test_a_field_that_lacks(field: str) -> None:
    with pytest.raises(DeclarationError, match=f"experiment lacks '{field}'; add it"):
        parse({name: value for name, value in GOOD.items() if name != field})


@pytest.mark.parametrize("declared", [None, [], "ab", 3])
def test_no_mapping(declared: Any) -> None:
    with pytest.raises(DeclarationError, match="experiment must be a mapping with the fields name, policy, arms"):
        parse(declared)


def test_a_regression_that_learns_needs_a_scale() -> None:
    assert parse(GOOD, "regression").loss == "absolute"
    with pytest.raises(DeclarationError, match="lacks 'loss_scale'; name the loss that counts as the greatest"):
        parse(GOOD | {"policy": "thompson"}, "regression")
    with pytest.raises(DeclarationError, match=r"experiment.loss_scale is '0'; it must be a number of at least"):
        parse(GOOD | {"loss_scale": 0}, "regression")
    assert parse(GOOD | {"policy": "thompson", "loss_scale": 60}, "regression").loss_scale == 60


def test_every_policy_takes_its_settings() -> None:
    assert SETTINGS.keys() == POLICIES.keys()
    for policy, policy_type in POLICIES.items():
        spec = parse(GOOD | {"policy": policy})
        made = policy_type(list(spec.arms), **spec.policy_settings)
        assert list(made.weights(made.start())) == ["control", "treatment"]


def _shuffled(value: Any, chance: random.Random) -> Any:
    if not isinstance(value, dict):
        return value
    names = list(value)
    chance.shuffle(names)
    return {name: _shuffled(value[name], chance) for name in names}


def test_a_fingerprint_stands_for_the_declaration_and_the_versions() -> None:
    declared = GOOD | {"weights": {"treatment": 1, "control": 3}, "unit": ["machine"]}
    versions = {"control": 1, "treatment": 3}
    spec = parse(declared)
    known = spec.fingerprint(versions)
    assert len(bytes.fromhex(known)) == 8
    chance = random.Random(1)
    for _ in range(20):
        # As it comes back from a release, where JSON keeps no order.
        again = parse(json.loads(json.dumps(_shuffled(declared, chance))))
        assert list(again.arms) == ["control", "treatment"]
        assert again.fingerprint(_shuffled(versions, chance)) == known
    others = [spec.fingerprint(versions | {"control": 2}), spec.fingerprint({"control": 3, "treatment": 1})]
    for change in (
        {"name": "b"},
        {"policy": "ensemble"},
        {"weights": {"treatment": 1, "control": 2}},
        {"loss": "error"},
    ):
        changed = {
            name: value for name, value in (declared | change).items() if change.get("policy") is None or name != "unit"
        }
        others.append(parse(changed).fingerprint(versions))
    others.append(parse(declared | {"unit": []}).fingerprint(versions))
    others.append(parse(declared | {"arms": ARMS | {"treatment": "stops@challenger"}}).fingerprint(versions))
    assert len({known, *others}) == len(others) + 1


def test_an_arm_is_the_version_that_its_alias_has() -> None:
    spec = parse(GOOD)
    assert spec.resolve({"stops": {"champion": 2}}) == {"control": 2, "treatment": 3}
    assert spec.resolve({"other": {"champion": 2}}) == {"control": None, "treatment": 3}
    assert str(Arm.parse("", "stops@champion")) == "stops@champion"


def _project(experiments: dict[str, Any]) -> str:
    models = {
        name: {"task": task, "dataset": "orders", "target": "is_late", "estimator": "lightgbm"}
        for name, task in (("late", "binary"), ("lost", "binary"), ("days", "regression"))
    }
    for model, declared in experiments.items():
        models[model]["serving"] = {"experiment": declared}
    columns = {"is_late": "BOOLEAN", "amount": "DOUBLE"}
    dataset = {"columns": columns, "not_features": [], "request": ["customer_id", "placed_at"]}
    return problems(json.dumps({"models": models, "datasets": {"orders": dataset}}))


def test_what_a_declaration_says_of_other_models() -> None:
    where = "model late: config.meta.model.serving.experiment"
    arms = {"control": "late@champion", "b": "lost@champion"}
    good = GOOD | {"arms": arms, "unit": ["customer_id"]}
    assert _project({"late": good}) == ""
    assert _project({"late": None}) == ""
    assert _project({"late": good | {"arms": arms | {"b": "losst@1"}}}) == (
        f"{where}.arms.b: there is no model 'losst' in the project; its models are late, lost, days. Did you mean 'lost'?"
    )
    assert _project({"late": good | {"arms": arms | {"b": "days@1"}}}) == (
        f"{where}.arms.b: days is a regression, and late a binary; take models of one task."
    )
    assert _project({"late": good | {"unit": ["customer"]}}) == (
        f"{where}.unit: 'customer' is no request field of the dataset orders; these are customer_id, placed_at. "
        "Did you mean 'customer_id'?"
    )
    other = good | {"arms": {"control": "lost@champion", "b": "late@champion"}}
    assert _project({"late": good, "lost": other}) == (
        "model lost: config.meta.model.serving.experiment.name: 'trial' is that of late; take another."
    )


def test_a_release_carries_the_versions_that_an_experiment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    signature = json.dumps({"views": []})
    rows = []
    for version in range(1, 9):
        artifact = f"models/{version}.txt"
        (tmp_path / artifact).write_text(artifact)
        sha256 = hashlib.sha256(artifact.encode()).hexdigest()
        rows.append(("stops", version, "binary", "linear", "text", artifact, sha256, signature, "{}"))
    names = "model, version, task, estimator, artifact_format, artifact, artifact_sha256, signature, canary"

    def carried(serving: dict[str, Any]) -> list[int]:
        out = tmp_path / "out" / str(len(list(tmp_path.glob("out/*"))))
        (out / "models").mkdir(parents=True)
        with duckdb.connect() as connection:
            values = ", ".join(str(row) for row in rows)
            versions = connection.sql(f"select * from (values {values}) as v({names})")
            models = write_models(versions, {"stops": {"champion": 4}}, {"stops": serving}, {}, out)
        assert all((out / model.file).is_file() for model in models)
        return [model.version for model in models]

    assert carried({"slo_ms": 20}) == [4, 6, 7, 8]
    assert carried({"experiment": None}) == [4, 6, 7, 8]
    pinned = GOOD | {"arms": {"control": "stops@champion", "b": "stops@2", "c": "other@1"}}
    assert carried({"experiment": pinned}) == [2, 4, 6, 7, 8]
