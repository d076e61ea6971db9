"""ONNX files give our scores: every estimator and task, by onnxruntime, on missing, unknown and hostile values."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.errors import ArtifactError, DeclarationError
from ml.estimators import ESTIMATORS
from ml.estimators.base import TrainingData
from ml.export.onnx_model import greatest_difference, onnx_inputs, to_onnx, write_onnx
from ml.registry.models import ModelVersion
from ml.scoring.matrix import to_matrix
from ml.scoring.signature import Feature
from tests.recorded import record, record_model

FEATURES = [
    Feature("plain", "DOUBLE"),
    Feature("with missing", "DOUBLE"),
    Feature("count", "BIGINT"),
    Feature("flag", "BOOLEAN"),
    Feature("kind", "VARCHAR", ["a", "b", "c", "däß"]),
    Feature("place", "VARCHAR", [f"p{number:02}" for number in range(40)]),
]
ROWS = 1500
TASKS = {"binary": 1, "multiclass": 3, "regression": 1}


def _rows(seed: int, rows: int = ROWS, hostile: bool = False) -> pa.Table:
    random = np.random.default_rng(seed)
    plain = random.normal(size=rows)
    if hostile:
        values = [0.0, -0.0, 1e-36, 1e-35, -1e300, 1e300, np.inf, -np.inf, np.nan]
        plain = np.where(random.random(rows) < 0.5, random.choice(values, rows), plain)
    missing = random.random((rows, 4)) < 0.2
    kinds = random.choice(["a", "b", "c", "däß", *(["unseen", ""] if hostile else [])], rows)
    return pa.table(
        {
            "plain": plain,
            "with missing": pa.array(random.normal(size=rows) * 3, mask=missing[:, 0]),
            "count": pa.array(random.integers(-3, 4, rows), mask=missing[:, 1] & hostile),
            "flag": pa.array(random.random(rows) < 0.5, mask=missing[:, 2]),
            "kind": pa.array(kinds, mask=missing[:, 3]),
            "place": random.choice([f"p{number:02}" for number in range(40)], rows),
        }
    )


def _train(home: Path, estimator: str, task: str, parameters: dict[str, Any]) -> ModelVersion:
    rows = _rows(1)
    matrix = to_matrix(rows, FEATURES)
    random = np.random.default_rng(2)
    raw = np.nan_to_num(matrix[:, 0] + matrix[:, 1]) + (matrix[:, 5] % 7 > 3) + random.normal(size=ROWS)
    target = {
        "binary": (raw > 0).astype(float),
        "multiclass": np.digitize(raw, [-1, 1]).astype(float),
        "regression": raw,
    }
    outputs = TASKS[task]
    split = (matrix[:1000], target[task][:1000]), (matrix[1000:], target[task][1000:])
    trained = ESTIMATORS[estimator].train(TrainingData(task, outputs, FEATURES, *split), parameters, 1)
    classes = [f"class {number}" for number in range(outputs)] if outputs > 1 else []
    return record_model(home, trained.artifact, estimator, task, FEATURES, classes)


CASES: list[tuple[str, str, dict[str, Any]]] = [
    *(("lightgbm", task, {"num_boost_round": 8, "min_data_in_leaf": 5}) for task in TASKS),
    ("lightgbm", "binary", {"num_boost_round": 5, "zero_as_missing": True}),
    ("lightgbm", "binary", {"num_boost_round": 5, "use_missing": False}),
    ("lightgbm", "binary", {"num_boost_round": 2, "min_data_in_leaf": 900}),
    ("lightgbm", "binary", {"num_boost_round": 4, "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
    ("lightgbm", "regression", {"num_boost_round": 5, "objective": "regression", "reg_sqrt": True}),
    *(("linear", task, {}) for task in TASKS),
    *(("torch_mlp", task, {"hidden": [8, 4], "epochs": 2}) for task in TASKS),
]


@pytest.mark.parametrize(("estimator", "task", "parameters"), CASES)
def test_scores_are_ours(
    estimator: str, task: str, parameters: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if estimator == "torch_mlp":
        pytest.importorskip("torch")
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    version = _train(tmp_path, estimator, task, parameters)
    content = to_onnx(version)
    for rows in (_rows(3), _rows(4, hostile=True), _rows(5, rows=1), _rows(6, rows=0)):
        assert greatest_difference(version, content, rows) < 1e-13
    session = onnxruntime.InferenceSession(content)
    assert {one.name for one in session.get_inputs()} == {feature.name for feature in FEATURES}
    shape = (ROWS, 3) if task == "multiclass" else (ROWS,)
    assert session.run(["score"], onnx_inputs(_rows(3), FEATURES))[0].shape == shape


def test_a_file_that_scores_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    one = _train(tmp_path, "lightgbm", "binary", {"num_boost_round": 8})
    other = to_onnx(_train(tmp_path, "lightgbm", "binary", {"num_boost_round": 8, "learning_rate": 0.2}))
    pq.write_table(_rows(3).append_column("id", pa.array(range(ROWS))), tmp_path / "rows.parquet")
    columns = {feature.name: feature.type for feature in FEATURES} | {"id": "BIGINT"}
    dataset = record(tmp_path, 1, columns, f"select * from '{tmp_path / 'rows.parquet'}'")
    with pytest.raises(ArtifactError, match="nothing was written"):
        greatest_difference(one, other, _rows(3))
    assert write_onnx(one, dataset, tmp_path / "model.onnx") < 1e-13
    with pytest.raises(DeclarationError, match="is there already"):
        write_onnx(one, dataset, tmp_path / "model.onnx")
