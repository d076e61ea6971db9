"""From a dataset version to the matrices and targets that an estimator learns from."""

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.datasets.versions import DatasetVersion
from ml.errors import DeclarationError
from ml.estimators.base import TrainingData
from ml.estimators.soft_targets import by_class
from ml.field_types import is_numeric
from ml.scoring.matrix import to_matrix
from ml.scoring.signature import Feature
from ml.training.probabilities import Labels, probable_labels
from ml.training.spec import ModelSpec
from ml.training.split import SPLITS, split_rows

GREATEST_TARGET = 1e100


@dataclass(frozen=True)
class Prepared:
    """The rows of a dataset version, ready to be learned from.

    table: the used columns, ordered by row id; splits: shape (rows,), a place in SPLITS; is_used: shape (rows,), whether a row is
    learned from, or in the test split measured; classes: of a multiclass task; label_sources: how many of the rows that are
    learned from have their label from where, None unless the model learns from probabilities and the dataset says.
    """

    table: pa.Table
    splits: np.ndarray
    is_used: np.ndarray
    classes: list[str]
    data: TrainingData
    label_sources: list[tuple[str, int]] | None

    @property
    def row_counts(self) -> list[tuple[str, int]]:
        """How many rows of each split are used."""
        return [(name, int((self.is_used & (self.splits == number)).sum())) for number, name in enumerate(SPLITS)]


def prepare(session: duckdb.DuckDBPyConnection, spec: ModelSpec, dataset: DatasetVersion, used: list[str]) -> Prepared:
    """Read a dataset version and part it. Raises DeclarationError where target or split cannot be, with the remedy."""
    row_id, at = dataset.definition["row_id"], dataset.definition["at"]
    source = dataset.definition.get("label_source") if spec.learn_from else None
    others = [spec.split.column, spec.learn_from and spec.learn_from.probabilities, source]
    wanted = [*used, spec.target, row_id, at, *(name for name in others if name)]
    table = dataset.read(session, list(dict.fromkeys(wanted)))
    splits = split_rows(spec, table, row_id, at)
    labels = probable_labels(spec, table) if spec.learn_from else _target(spec, table)
    train, validation = (labels.is_known & (splits == number) for number in (0, 1))
    features = _features(used, dataset.columns, table, train)
    matrix = to_matrix(table, features)
    data = TrainingData(
        spec.task,
        len(labels.classes) or 1,
        features,
        (matrix[train], labels.target[train]),
        (matrix[validation], labels.target[validation]),
        None if labels.weights is None else labels.weights[train],
        None if labels.weights is None else labels.weights[validation],
    )
    _refuse_absent(spec, labels.classes, data)
    is_measured = np.asarray(table.column(spec.target).is_valid().to_numpy()) & (splits == 2)
    sources = _count(table.column(source).filter(pa.array(train | validation))) if source else None
    return Prepared(table, splits, train | validation | is_measured, labels.classes, data, sources)


def _refuse_absent(spec: ModelSpec, classes: list[str], data: TrainingData) -> None:
    """Raise DeclarationError where a split that is learned from lacks rows or a class."""
    if spec.task == "regression":
        return
    learned = spec.learn_from.probabilities if spec.learn_from else None
    splits = {
        "training": (data.train[1], data.train_weights),
        "validation": (data.validation[1], data.validation_weights),
    }
    for split, (target, weights) in splits.items():
        if not len(target):
            raise DeclarationError(
                f"model {spec.name}: '{learned}' of learn_from is null in all rows of the {split} split; split otherwise, or "
                "label more rows."
            )
        _, places, mass = by_class(spec.task, target, weights)
        is_there = np.bincount(places.astype(np.int64), mass, minlength=max(data.outputs, 2)) > 0
        if spec.task == "binary" and not is_there.all():
            same = f"class by '{learned}'" if learned else f"target '{spec.target}'"
            raise DeclarationError(
                f"model {spec.name}: all rows of the {split} split have the same {same}; split otherwise, or load more data."
            )
        if spec.task == "multiclass" and split == "training" and not is_there.all():
            column = f"by '{learned}'" if learned else f"of the target '{spec.target}'"
            name, other = classes[int(is_there.argmin())], "" if weights is None else ", or learn from soft_targets"
            raise DeclarationError(
                f"model {spec.name}: no row of the training split has the class '{name}' {column}; leave the class out of the "
                f"dataset, or split otherwise{other}."
            )


def _count(column: pa.ChunkedArray) -> list[tuple[str, int]]:
    """How often each value occurs, by name; a null counts as 'none'."""
    texts = pc.fill_null(pc.cast(column, pa.string()), "none")
    return sorted((entry["values"], entry["counts"]) for entry in pc.value_counts(texts).to_pylist())


def _target(spec: ModelSpec, table: pa.Table) -> Labels:
    """The labels by the target, which is known of every row."""
    column = table.column(spec.target)
    where = f"model {spec.name}: the target '{spec.target}'"
    if column.null_count:
        raise DeclarationError(
            f"{where} is null in {column.null_count} rows of the dataset {spec.dataset}; leave out rows whose outcome is "
            "not known, or declare what to learn from in its place (learn_from)."
        )
    is_known = np.ones(table.num_rows, dtype=bool)
    if spec.task == "multiclass":
        texts = pc.cast(column, pa.string())
        classes = sorted(pc.unique(texts).to_pylist())
        if len(classes) < 3:
            raise DeclarationError(
                f"{where} has the classes {', '.join(classes)}; for fewer than three use task: binary."
            )
        places = np.asarray(pc.index_in(texts, pa.array(classes)).to_numpy(), dtype=np.float64)
        return Labels(places, None, is_known, classes)
    if not pa.types.is_boolean(column.type) and not _is_number(column.type):
        raise DeclarationError(f"{where} is {column.type}; a {spec.task} task takes a number or a boolean.")
    values = to_floats(table, spec.target).to_numpy()
    if spec.task == "binary" and set(np.unique(values)) != {0, 1}:
        raise DeclarationError(f"{where} of a binary task must hold both 0 and 1, and nothing else.")
    if np.abs(values).max(initial=0) > GREATEST_TARGET and np.isfinite(values).all():
        raise DeclarationError(f"{where} holds values beyond {GREATEST_TARGET:g}, whose squares overflow; scale it.")
    if not np.isfinite(values).all():
        raise DeclarationError(f"{where} is not finite in {(~np.isfinite(values)).sum()} rows; leave these out.")
    return Labels(values, None, is_known, [])


def to_floats(table: pa.Table, column: str) -> pa.ChunkedArray:
    """A column of numbers or booleans as doubles."""
    values = table.column(column)
    plain = pc.cast(values, pa.uint8()) if pa.types.is_boolean(values.type) else values
    return pc.cast(plain, pa.float64(), safe=False)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _features(used: list[str], columns: dict[str, str], table: pa.Table, is_learned: np.ndarray) -> list[Feature]:
    """The features with the categories that the training rows hold. is_learned: shape (rows,), which these are."""
    train_rows = pa.array(is_learned)
    features = []
    for name in used:
        categories = None
        if not is_numeric(columns[name]):
            categories = sorted(pc.unique(table.column(name).filter(train_rows)).drop_null().to_pylist())
        features.append(Feature(name, columns[name], categories))
    return features
