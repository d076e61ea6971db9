"""What a dataset version must hold to be learned from."""

from pathlib import Path
from typing import Any

import pytest

from ml.datasets.versions import in_memory
from ml.errors import DeclarationError
from ml.training.data import Prepared, prepare
from ml.training.spec import ModelSpec
from tests.recorded import record

COLUMNS = {"id": "INTEGER", "seen_at": "TIMESTAMP", "x": "DOUBLE", "y": "VARCHAR"}


def _prepare(folder: Path, task: str, kind: str, target: str) -> Prepared:
    """100 rows in the order of time, of which 70 train, 15 are for validation and 15 for the test."""
    times = "timestamp '2024-01-01' + to_days(cast(i as integer))"
    rows = f"select i as id, {times} as seen_at, i as x, 'a' as y, {target} as target from range(100) as rows (i)"
    version = record(folder, 1, COLUMNS | {"target": kind}, rows)
    declared: dict[str, Any] = {"task": task, "dataset": "orders", "target": "target", "estimator": "lightgbm"}
    with in_memory() as session:
        return prepare(session, ModelSpec.parse("made_up", declared), version, ["x", "y"])


@pytest.mark.parametrize(
    ("task", "kind", "target", "message"),
    [
        ("binary", "BOOLEAN", "i < 70", "all rows of the training split have the same target"),
        (
            "binary",
            "BOOLEAN",
            "i % 2 = 0 or i between 70 and 84",
            "all rows of the validation split have the same target",
        ),
        ("binary", "INTEGER", "i % 3", "must hold both 0 and 1"),
        ("binary", "BOOLEAN", "if(i = 5, null, i % 2 = 0)", "is null in 1 rows"),
        ("regression", "DOUBLE", "if(i = 5, 'nan'::double, i)", "is not finite in 1 rows"),
        ("regression", "DOUBLE", "i * 1e300", "holds values beyond 1e\\+100"),
        ("multiclass", "VARCHAR", "if(i % 2 = 0, 'a', 'b')", "for fewer than three use task: binary"),
        (
            "multiclass",
            "VARCHAR",
            "if(i > 90, 'late', (i % 3)::varchar)",
            "no row of the training split has the class 'late'",
        ),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(
    tmp_path: Path, task: str, kind: str, target: str, message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        _prepare(tmp_path, task, kind, target)


def test_classes_are_numbered_in_order_and_rows_are_counted(tmp_path: Path) -> None:
    prepared = _prepare(tmp_path, "multiclass", "VARCHAR", "chr(cast(99 - i % 3 as integer))")
    assert prepared.classes == ["a", "b", "c"]
    assert prepared.row_counts == [("train", 70), ("validation", 15), ("test", 15)]
    assert prepared.data.outputs == 3
    assert prepared.data.train[1][:4].tolist() == [2, 1, 0, 2]
    assert prepared.data.features[1].categories == ["a"]
