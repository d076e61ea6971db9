"""From a dataset version to the matrices and targets that an estimator learns from."""

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.datasets.versions import DatasetVersion
from ml.errors import DeclarationError
from ml.estimators.base import TrainingData
from ml.field_types import is_numeric
from ml.scoring.matrix import to_matrix
from ml.scoring.signature import Feature
from ml.training.spec import ModelSpec
from ml.training.split import SPLITS, split_rows

GREATEST_TARGET = 1e100


@dataclass(frozen=True)
class Prepared:
    """The rows of a dataset version, ready to be learned from.

    table: the used columns, ordered by row id; splits: shape (rows,), a place in SPLITS; classes: of a multiclass task.
    """

    table: pa.Table
    splits: np.ndarray
    classes: list[str]
    data: TrainingData

    @property
    def row_counts(self) -> list[tuple[str, int]]:
        """How many rows each split has."""
        return [(name, int((self.splits == number).sum())) for number, name in enumerate(SPLITS)]


def prepare(session: duckdb.DuckDBPyConnection, spec: ModelSpec, dataset: DatasetVersion, used: list[str]) -> Prepared:
    """Read a dataset version and part it. Raises DeclarationError where target or split cannot be, with the remedy."""
    row_id, at = dataset.definition["row_id"], dataset.definition["at"]
    wanted = [*used, spec.target, row_id, at, *([spec.split.column] if spec.split.column else [])]
    table = dataset.read(session, list(dict.fromkeys(wanted)))
    splits = split_rows(spec, table, row_id, at)
    target, classes = _target(spec, table)
    features = _features(used, dataset.columns, table, splits)
    matrix = to_matrix(table, features)
    train, validation = ((matrix[splits == number], target[splits == number]) for number in (0, 1))
    for number, name in enumerate(classes):
        if not (train[1] == number).any():
            raise DeclarationError(
                f"model {spec.name}: no row of the training split has the class '{name}' of the target '{spec.target}'; "
                "leave the class out of the dataset, or split otherwise."
            )
    if spec.task == "binary":
        for name, (_, found) in (("training", train), ("validation", validation)):
            if len(np.unique(found)) < 2:
                raise DeclarationError(
                    f"model {spec.name}: all rows of the {name} split have the same target '{spec.target}'; split otherwise, "
                    "or load more data."
                )
    data = TrainingData(spec.task, len(classes) or 1, features, train, validation)
    return Prepared(table, splits, classes, data)


def _target(spec: ModelSpec, table: pa.Table) -> tuple[np.ndarray, list[str]]:
    """The targets as TrainingData has them, and the classes of a multiclass task."""
    column = table.column(spec.target)
    where = f"model {spec.name}: the target '{spec.target}'"
    if column.null_count:
        raise DeclarationError(
            f"{where} is null in {column.null_count} rows of the dataset {spec.dataset}; leave out rows whose outcome is "
            "not known."
        )
    if spec.task == "multiclass":
        texts = pc.cast(column, pa.string())
        classes = sorted(pc.unique(texts).to_pylist())
        if len(classes) < 3:
            raise DeclarationError(
                f"{where} has the classes {', '.join(classes)}; for fewer than three use task: binary."
            )
        return np.asarray(pc.index_in(texts, pa.array(classes)).to_numpy(), dtype=np.float64), classes
    if not pa.types.is_boolean(column.type) and not _is_number(column.type):
        raise DeclarationError(f"{where} is {column.type}; a {spec.task} task takes a number or a boolean.")
    values = to_floats(table, spec.target).to_numpy()
    if spec.task == "binary" and set(np.unique(values)) != {0, 1}:
        raise DeclarationError(f"{where} of a binary task must hold both 0 and 1, and nothing else.")
    if np.abs(values).max(initial=0) > GREATEST_TARGET and np.isfinite(values).all():
        raise DeclarationError(f"{where} holds values beyond {GREATEST_TARGET:g}, whose squares overflow; scale it.")
    if not np.isfinite(values).all():
        raise DeclarationError(f"{where} is not finite in {(~np.isfinite(values)).sum()} rows; leave these out.")
    return values, []


def to_floats(table: pa.Table, column: str) -> pa.ChunkedArray:
    """A column of numbers or booleans as doubles."""
    values = table.column(column)
    plain = pc.cast(values, pa.uint8()) if pa.types.is_boolean(values.type) else values
    return pc.cast(plain, pa.float64(), safe=False)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _features(used: list[str], columns: dict[str, str], table: pa.Table, splits: np.ndarray) -> list[Feature]:
    """The features with the categories that the training rows hold."""
    train_rows = pa.array(splits == 0)
    features = []
    for name in used:
        categories = None
        if not is_numeric(columns[name]):
            categories = sorted(pc.unique(table.column(name).filter(train_rows)).drop_null().to_pylist())
        features.append(Feature(name, columns[name], categories))
    return features
