"""Learning from probabilities: soft targets are rows repeated with weights, and weights are LightGBM's and scikit-learn's own."""

import json
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from ml.datasets.versions import in_memory
from ml.errors import DeclarationError
from ml.estimators import ESTIMATORS
from ml.estimators.base import TrainingData
from ml.estimators.lightgbm import LightGBM
from ml.estimators.lightgbm_library import Booster
from ml.estimators.linear import Linear
from ml.estimators.soft_targets import by_class
from ml.export.onnx_model import greatest_difference, to_onnx
from ml.scoring.signature import Feature
from ml.training.data import Prepared, prepare
from ml.training.declarations import problems
from ml.training.spec import ModelSpec
from ml.training.threshold import choose_threshold
from ml.tuning.metrics import measure
from tests.recorded import record, record_model

FEATURES = [Feature("x", "DOUBLE"), Feature("z", "DOUBLE")]
TREES = {"num_boost_round": 40, "early_stopping_rounds": 1000, "min_data_in_leaf": 1, "min_data_in_bin": 1}
TREES["min_sum_hessian_in_leaf"] = 5.0
EXACT = {"tolerance": 1e-11, "max_iterations": 5000}


def _split(task: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose probabilities depend on x; some are certain."""
    chance = np.random.default_rng(seed)
    # On few values, of which LightGBM's bins do not depend on how often each comes.
    matrix = chance.normal(size=(count, 2)).round(1)
    if task == "binary":
        return matrix, np.clip(1 / (1 + np.exp(-2 * matrix[:, 0])) + chance.normal(scale=0.2, size=count), 0, 1)
    raw = np.exp(np.column_stack([matrix[:, 0], -matrix[:, 0], matrix[:, 1]]) * 2)
    raw[chance.random(raw.shape) < 0.2] = 0
    raw[:, 0] += raw.sum(axis=1) == 0
    return matrix, raw / raw.sum(axis=1, keepdims=True)


def _data(task: str) -> TrainingData:
    outputs = 3 if task == "multiclass" else 1
    return TrainingData(task, outputs, FEATURES, _split(task, 600, 1), _split(task, 200, 2))


def _repeated(data: TrainingData) -> TrainingData:
    """The same with hard targets and weights, by hand: each row twice, or once for each class."""
    splits, weights = [], []
    for matrix, target in (data.train, data.validation):
        shares = target if target.ndim == 2 else np.column_stack([1 - target, target])
        classes = np.tile(np.arange(shares.shape[1], dtype=float), len(matrix))
        splits.append((np.repeat(matrix, shares.shape[1], axis=0), classes))
        weights.append(shares.ravel())
    return TrainingData(data.task, data.outputs, FEATURES, splits[0], splits[1], weights[0], weights[1])


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_soft_targets_are_repeated_rows_to_lightgbm(task: str) -> None:
    """By LightGBM's own API, at the places where trees and early stopping can differ: scores and the validation loss."""
    data, (matrix, _) = _data(task), _split(task, 300, 3)
    trained = LightGBM.train(data, TREES, 5)
    repeated = _repeated(data)
    assert repeated.train_weights is not None and repeated.validation_weights is not None
    train = lightgbm.Dataset(*repeated.train, weight=repeated.train_weights)
    validation = lightgbm.Dataset(*repeated.validation, weight=repeated.validation_weights, reference=train)
    own = {name: value for name, value in TREES.items() if name not in ("num_boost_round", "early_stopping_rounds")}
    options: dict[str, Any] = own | {"objective": task, "learning_rate": 0.05, "num_leaves": 31, "verbosity": -1}
    options |= {"deterministic": True, "num_threads": 1, "force_row_wise": True, "seed": 5}
    if task == "multiclass":
        options["num_class"] = 3
    losses: dict[str, Any] = {}
    booster = lightgbm.train(
        options, train, 40, valid_sets=[validation], callbacks=[lightgbm.record_evaluation(losses)]
    )
    found = LightGBM(trained.artifact, FEATURES, data.outputs)
    best = trained.parameters["best_iteration"]
    np.testing.assert_allclose(found.predict(matrix), booster.predict(matrix, num_iteration=best), atol=1e-6)
    (curve,) = trained.learning_curve.values()
    np.testing.assert_allclose(curve, next(iter(losses["valid_0"].values())), atol=1e-6)
    assert best == int(np.argmin(curve)) + 1


def test_what_cross_entropy_learned_is_scored_as_lightgbm_does_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, (matrix, _) = _data("binary"), _split("binary", 50, 4)
    artifact = LightGBM.train(data, {"num_boost_round": 10}, 1).artifact
    assert b"\nobjective=cross_entropy\n" in artifact
    found = LightGBM(artifact, FEATURES, 1)
    own = lightgbm.Booster(model_str=artifact.decode())
    assert found.predict(matrix).tobytes() == own.predict(matrix).tobytes()
    np.testing.assert_allclose(Booster(artifact, 2, 1).contributions(matrix).sum(axis=1), found.raw_score(matrix))
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    version = record_model(tmp_path, artifact, "lightgbm", "binary", FEATURES, [])
    rows = pa.table({"x": matrix[:, 0], "z": matrix[:, 1]})
    assert greatest_difference(version, to_onnx(version), rows) < 1e-12


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_soft_targets_are_repeated_rows_to_a_linear_model(task: str) -> None:
    """And to scikit-learn, with sample_weight, on the numbers as the soft training standardises them."""
    data, (matrix, _) = _data(task), _split(task, 100, 3)
    found = Linear(Linear.train(data, {"l2": 0.5, **EXACT}, 1).artifact, FEATURES, data.outputs).predict(matrix)
    mean, deviation = data.train[0].mean(axis=0), data.train[0].std(axis=0)
    repeated = _repeated(data)
    logistic = LogisticRegression(C=2, tol=1e-10, max_iter=10000)
    logistic.fit((repeated.train[0] - mean) / deviation, repeated.train[1], sample_weight=repeated.train_weights)
    expected = logistic.predict_proba((matrix - mean) / deviation)
    np.testing.assert_allclose(found, expected if task == "multiclass" else expected[:, 1], atol=1e-6)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_weights_are_those_of_the_libraries(task: str) -> None:
    soft, (matrix, _) = _data(task), _split(task, 100, 3)
    shares = [
        target if target.ndim == 2 else np.column_stack([1 - target, target])
        for _, target in (soft.train, soft.validation)
    ]
    (train, validation), (train_weights, validation_weights) = (
        [share.argmax(axis=1).astype(float) for share in shares],
        [share.max(axis=1) for share in shares],
    )
    data = TrainingData(
        task,
        soft.outputs,
        FEATURES,
        (soft.train[0], train),
        (soft.validation[0], validation),
        train_weights,
        validation_weights,
    )
    of_trees = LightGBM.train(data, {"num_boost_round": 20, "metric": "auc" if task == "binary" else "multi_error"}, 1)
    options = {"objective": task, "learning_rate": 0.05, "verbosity": -1, "num_threads": 1, "deterministic": True}
    options |= {"force_row_wise": True, "seed": 1} | ({"num_class": 3} if task == "multiclass" else {})
    own = lightgbm.train(options, lightgbm.Dataset(data.train[0], train, weight=train_weights), 20)
    best = of_trees.parameters["best_iteration"]
    expected = own.predict(matrix, num_iteration=best)
    np.testing.assert_allclose(
        LightGBM(of_trees.artifact, FEATURES, data.outputs).predict(matrix), expected, atol=1e-12
    )
    if task == "binary":
        scores = own.predict(data.validation[0], num_iteration=best)
        auc = metrics.roc_auc_score(validation, scores, sample_weight=validation_weights)
        assert of_trees.learning_curve["validation auc"][best - 1] == pytest.approx(auc, abs=1e-6)
    linear = Linear(Linear.train(data, {"l2": 0.5, **EXACT}, 1).artifact, FEATURES, data.outputs)
    mean, deviation = data.train[0].mean(axis=0), data.train[0].std(axis=0)
    logistic = LogisticRegression(C=2, tol=1e-10, max_iter=10000)
    logistic.fit((data.train[0] - mean) / deviation, train, sample_weight=train_weights)
    expected = logistic.predict_proba((matrix - mean) / deviation)
    np.testing.assert_allclose(linear.predict(matrix), expected if task == "multiclass" else expected[:, 1], atol=1e-6)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_network_measures_the_expected_loss(task: str) -> None:
    """Of soft targets, of weights that are all the same, and of repeated rows, before it has learned anything to speak of."""
    pytest.importorskip("torch")
    data, repeated = _data(task), _repeated(_data(task))
    parameters = {"hidden": [4], "epochs": 1, "learning_rate": 1e-7, "weight_decay": 0, "dropout": 0}
    losses = [ESTIMATORS["torch_mlp"].train(one, parameters, 1) for one in (data, repeated)]
    model = ESTIMATORS["torch_mlp"](losses[0].artifact, FEATURES, data.outputs)
    score = model.predict(data.validation[0])
    of_class = np.column_stack([1 - score, score]) if task == "binary" else score
    target = data.validation[1]
    shares = np.column_stack([1 - target, target]) if task == "binary" else target
    expected = -(shares * np.log(of_class)).sum(axis=1).mean()
    for trained in losses:
        assert trained.learning_curve["validation loss"] == pytest.approx([expected], abs=1e-4)


def test_the_network_learns_from_soft_targets_and_weights() -> None:
    pytest.importorskip("torch")
    soft = _data("binary")
    weights = np.abs(soft.train[1] - 0.5) * 2 + 1e-3, np.abs(soft.validation[1] - 0.5) * 2 + 1e-3
    hard = [(matrix, (target > 0.5).astype(float)) for matrix, target in (soft.train, soft.validation)]
    for data in (soft, TrainingData("binary", 1, FEATURES, hard[0], hard[1], *weights)):
        trained = ESTIMATORS["torch_mlp"].train(data, {"hidden": [8], "epochs": 8, "learning_rate": 0.02}, 1)
        score = ESTIMATORS["torch_mlp"](trained.artifact, FEATURES, 1).predict(data.validation[0])
        assert metrics.roc_auc_score(hard[1][1], score) > 0.9


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
def test_metrics_with_weights_are_those_of_scikit_learn(seed: int, size: int) -> None:
    chance = np.random.default_rng(seed)
    scores, weights = chance.integers(0, 6, size) / 5 * 0.9 + 0.05, chance.random(size) + 0.1
    target = np.concatenate([[0.0, 1.0], chance.integers(0, 2, size - 2)])
    expected = {
        "auc": metrics.roc_auc_score(target, scores, sample_weight=weights),
        "average_precision": metrics.average_precision_score(target, scores, sample_weight=weights),
        "log_loss": metrics.log_loss(target, scores, sample_weight=weights),
        "brier": metrics.brier_score_loss(target, scores, sample_weight=weights),
        "precision": metrics.precision_score(target, scores >= 0.5, sample_weight=weights, zero_division=0),
        "recall": metrics.recall_score(target, scores >= 0.5, sample_weight=weights),
        "f1": metrics.f1_score(target, scores >= 0.5, sample_weight=weights),
    }
    for metric, value in expected.items():
        assert measure(metric, "binary", scores, target, 0.5, weights) == pytest.approx(value, abs=1e-9), metric


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["binary", "multiclass"]))
def test_whole_weights_are_repeated_rows_to_every_metric_and_the_threshold(seed: int, task: str) -> None:
    chance = np.random.default_rng(seed)
    times = chance.integers(1, 4, 30)
    target = np.concatenate([[0.0, 1.0], chance.integers(0, 2, 28)])
    scores = chance.integers(0, 9, 30) / 10 + 0.05
    names = ["auc", "average_precision", "log_loss", "brier", "calibration_error", "f1"]
    if task == "multiclass":
        target = np.concatenate([[0.0, 1.0, 2.0], chance.integers(0, 3, 27)])
        scores = chance.dirichlet([1, 1, 1], 30)
        names = ["accuracy", "log_loss", "auc_macro", "f1_macro"]
    for name in names:
        weighted = measure(name, task, scores, target, 0.5, times.astype(float))
        repeated = measure(name, task, np.repeat(scores, times, axis=0), np.repeat(target, times), 0.5)
        assert weighted == pytest.approx(repeated, abs=1e-12), name
    spec = ModelSpec.parse("late", {"task": task, "dataset": "o", "target": "t", "estimator": "linear"})
    if task == "binary":
        repeated_threshold = choose_threshold(spec, np.repeat(scores, times), np.repeat(target, times))
        assert choose_threshold(spec, scores, target, times.astype(float)) == repeated_threshold


def test_a_soft_target_is_each_class_with_its_probability() -> None:
    rows, classes, weights = by_class("multiclass", np.array([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]), np.array([2.0, 3.0]))
    assert [rows.tolist(), classes.tolist(), weights.tolist()] == [[0, 0, 1], [0, 2, 1], [1, 1, 3]]


COLUMNS = {
    "id": "INTEGER",
    "seen_at": "TIMESTAMP",
    "x": "DOUBLE",
    "y": "VARCHAR",
    "truth": "VARCHAR",
    "source": "VARCHAR",
}
DECLARED: dict[str, Any] = {
    "task": "binary",
    "dataset": "orders",
    "target": "truth",
    "estimator": "lightgbm",
    "features": ["x"],
}


def _prepare(
    folder: Path, kind: str, probabilities: str, truth: str = "null", truth_kind: str = "BOOLEAN", **more: Any
) -> Prepared:
    """100 rows in the order of time, of which 70 are in the training split, 15 in that of validation and 15 in the test."""
    times = "timestamp '2024-01-01' + to_days(cast(i as integer))"
    rows = (
        f"select i as id, {times} as seen_at, i as x, case when i < 70 and i % 7 = 0 then 'unlabelled' else 'a' end as y, "
        f"{truth} as truth, {probabilities} as p, if(i % 2 = 0, 'expert', 'functions') as source from range(100) as rows (i)"
    )
    version = record(
        folder,
        1,
        COLUMNS | {"truth": truth_kind, "p": kind},
        rows,
        labels=["truth", "p", "source"],
        label_source="source",
    )
    spec = ModelSpec.parse("made_up", DECLARED | {"learn_from": {"probabilities": "p", "as": "soft_targets"}} | more)
    with in_memory() as session:
        return prepare(session, spec, version, ["x", "y"])


MAP = "MAP(VARCHAR, DOUBLE)"
LABELLED = "if(i % 7 = 0, null, map {'true': i / 200, 'false': 1 - i / 200})"


@pytest.mark.parametrize("kind", [MAP, "DOUBLE"])
def test_rows_without_probabilities_are_left_out(tmp_path: Path, kind: str) -> None:
    text = LABELLED if kind == MAP else "if(i % 7 = 0, null, i / 200)"
    prepared = _prepare(tmp_path, kind, text, "if(i % 3 = 0, null, i % 2 = 0)")
    learned = [place for place in range(100) if place % 7]
    assert prepared.data.train[0][:, 0].tolist() == [place for place in learned if place < 70]
    assert prepared.data.train[1].tolist() == pytest.approx([place / 200 for place in learned if place < 70], abs=1e-15)
    assert prepared.data.train_weights is None
    assert prepared.row_counts == [
        ("train", 60),
        ("validation", 12),
        ("test", sum(place % 3 > 0 for place in range(85, 100))),
    ]
    counted = [place % 2 for place in learned if place < 85]
    assert prepared.label_sources == [("expert", counted.count(0)), ("functions", counted.count(1))]
    assert prepared.data.features[1].categories == ["a"]


def test_the_likeliest_class_is_weighted_by_its_probability(tmp_path: Path) -> None:
    shares = "map {'a': 0.5, 'c': if(i % 2 = 0, 0.3, 0.1), 'b': if(i % 2 = 0, 0.2, 0.4)}"
    skewed = shares.replace("0.5", "if(i % 3 = 0, 0.1, 0.5)").replace("0.3", "if(i % 3 = 0, 0.7, 0.3)")
    skewed = skewed.replace("0.4", "if(i % 3 = 0, 0.8, 0.4)")
    learn_from = {"probabilities": "p", "as": "sample_weights"}
    prepared = _prepare(tmp_path, MAP, skewed, "'c'", "VARCHAR", task="multiclass", learn_from=learn_from)
    assert prepared.classes == ["a", "b", "c"]
    assert prepared.data.train[1][:6].tolist() == [2, 0, 0, 1, 0, 0]
    assert prepared.data.train_weights is not None
    assert prepared.data.train_weights[:6].tolist() == pytest.approx([0.7, 0.5, 0.5, 0.8, 0.5, 0.5])


@pytest.mark.parametrize(
    ("kind", "probabilities", "truth", "changes", "message"),
    [
        (
            MAP,
            "map {'true': 0.5, 'maybe': 0.5}",
            "true",
            {},
            "has the classes maybe, true; those of a binary task are false and true",
        ),
        (MAP, "map {'true': 0.5, 'false': 0.4}", "true", {}, "holds no probabilities in 100 rows"),
        (MAP, "map {'true': 1.5, 'false': -0.5}", "true", {}, "holds no probabilities in 100 rows"),
        ("DOUBLE", "if(i = 3, 'nan'::double, 0.5)", "true", {}, "holds no probabilities in 1 rows"),
        ("DOUBLE", "null", "true", {}, "is null in all rows of the dataset orders; build its labels first"),
        ("DOUBLE", "if(i < 70, null, 0.5)", "true", {}, "is null in all rows of the training split"),
        ("DOUBLE", "if(i < 70, 0, 0.5)", "true", {}, "all rows of the training split have the same class by 'p'"),
        (MAP, "map {'a': 0.5, 'b': 0.5}", "'a'", {"task": "multiclass"}, "has the classes a, b; for fewer than three"),
        (
            MAP,
            "map {'a': 0.5, 'b': 0.4, 'c': 0.1}",
            "'d'",
            {"task": "multiclass"},
            "a, b, c, and the target 'truth' also d",
        ),
        (
            MAP,
            "map {'a': 0.5, 'b': 0.5, 'c': 0}",
            "'a'",
            {"task": "multiclass"},
            "no row of the training split has the class 'c' by 'p'",
        ),
    ],
)
def test_probabilities_that_cannot_be_learned_from_are_refused(
    tmp_path: Path, kind: str, probabilities: str, truth: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        _prepare(tmp_path, kind, probabilities, truth, "VARCHAR" if changes else "BOOLEAN", **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learn_from": "p"}, "learn_from must be a mapping with the fields probabilities, as"),
        (
            {"learn_from": {"probabilities": "p"}},
            "learn_from lacks 'as'; write {probabilities: a column, as: soft_targets}",
        ),
        ({"learn_from": {"as": "soft_targets"}}, "learn_from lacks 'probabilities'"),
        ({"learn_from": {"probability": "p"}}, "unknown field 'probability'. Did you mean 'probabilities'"),
        (
            {"learn_from": {"probabilities": "p", "as": "weights"}},
            "learn_from.as is 'weights'; it must be one of soft_targets",
        ),
        ({"learn_from": {"probabilities": ["p"], "as": "soft_targets"}}, "it must be a column of the dataset"),
        ({"task": "regression"}, "learn_from is for classes, and the task is regression; remove it"),
        (
            {"learn_from": {"probabilities": "q", "as": "soft_targets"}},
            "learn_from.probabilities: 'q' is no column of the dataset orders",
        ),
        ({"learn_from": {"probabilities": "x", "as": "soft_targets"}}, "'x' is none of the dataset's labels"),
        (
            {"learn_from": {"probabilities": "y", "as": "soft_targets"}},
            "'y' is varchar; a binary task learns from a map(varchar, double)",
        ),
        (
            {"task": "multiclass"},
            "'p' is double; a multiclass task learns from a map(varchar, double), class to probability.",
        ),
        (
            {"parameters": {"metric": "auc"}},
            "parameters.metric of lightgbm is 'auc', which takes soft targets for labels",
        ),
        ({"parameters": {"scale_pos_weight": 2}}, "parameters.scale_pos_weight of lightgbm is for labels"),
        (
            {"tune": {"trials": 2, "space": {"scale_pos_weight": {"low": 1, "high": 5}}}},
            "parameters.scale_pos_weight of lightgbm is for labels",
        ),
        ({"parameters": {"num_leafs": 3}}, "lightgbm has no such parameter"),
    ],
)
def test_a_declaration_that_cannot_hold_is_refused(changes: dict[str, Any], message: str) -> None:
    declared = DECLARED | {"learn_from": {"probabilities": "p", "as": "soft_targets"}} | changes
    columns = {"truth": "boolean", "p": "double", "x": "double", "y": "varchar"}
    datasets = {"orders": {"columns": columns, "not_features": ["truth", "p"]}}
    assert message.replace(".varchar, double.", "(varchar, double)") in problems(
        json.dumps({"models": {"late": declared}, "datasets": datasets})
    )


def test_weights_take_any_metric_and_a_map_any_spelling() -> None:
    learn_from = {"probabilities": "p", "as": "sample_weights"}
    declared = DECLARED | {"learn_from": learn_from, "parameters": {"metric": "auc"}}
    datasets = {
        "orders": {"columns": {"truth": "boolean", "p": "map(text, float8)", "x": "double"}, "not_features": ["p"]}
    }
    assert problems(json.dumps({"models": {"late": declared}, "datasets": datasets})) == ""
