"""Training: a dataset version in, a row of model_versions out, when there is something new to learn."""

import dataclasses
import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version as library_version
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml import files
from ml.canary import make_canary
from ml.code_fingerprint import code_fingerprint
from ml.datasets import DatasetVersion, dataset_version, model_inputs
from ml.digest import digest
from ml.errors import DeclarationError
from ml.estimators import ESTIMATORS
from ml.estimators.base import TrainingData
from ml.field_types import canonical, is_numeric
from ml.history import history
from ml.matrix import to_matrix
from ml.scorer import Scorer
from ml.signature import Expression, Feature, Signature, ViewInput
from ml.spec import ModelSpec
from ml.split import SPLITS, split_by_time


def train(
    dbt: Any,
    session: duckdb.DuckDBPyConnection,
    declaration: dict[str, Any],
    datasets: duckdb.DuckDBPyRelation,
    feature_views: duckdb.DuckDBPyRelation,
) -> duckdb.DuckDBPyRelation:
    """Train the model that the calling dbt model declares, if its latest version is not what would come out.

    declaration: `dbt.config.meta_get("model")`; datasets, feature_views: dbt.ref() of the registry's tables of these
    names. Returns a relation with the new version's row of model_versions, or without rows. Raises DeclarationError where
    the YAML cannot hold.
    """
    spec = ModelSpec.parse(dbt.this.identifier, declaration)
    dataset = dataset_version(datasets, spec.dataset)
    definition = dataset.definition
    used = _used_columns(spec, dataset)
    views, expressions = model_inputs(dataset, feature_views, used)
    inputs = [
        *map(dataclasses.asdict, dataset.request),
        *map(dataclasses.asdict, views),
        *map(dataclasses.asdict, expressions),
    ]
    code = code_fingerprint(spec.estimator)
    declared = {name: value for name, value in declaration.items() if name not in ("features", "promote")}
    training_fingerprint = digest(
        [
            {
                column: dataset.column_hashes[column]
                for column in [*used, spec.target, definition["row_id"], definition["at"]]
            },
            inputs,
            declared,
            code,
        ]
    )
    versions = history(session, dbt.this, "version, training_fingerprint, artifact")
    files.drop_unregistered(files.home() / _folder(spec), str(dbt.this), [row[2] for row in versions])
    latest = max(versions, default=(0, None, None))
    if latest[1] == training_fingerprint:
        return session.sql(f"select * from {dbt.this} limit 0")

    learned = _learn(session, str(dbt.this), spec, dataset, used, views, expressions)
    row = {
        "model": spec.name,
        "version": latest[0] + 1,
        "created_at": dt.datetime.now(dt.UTC),
        "estimator": spec.estimator,
        "task": spec.task,
        "target": spec.target,
        "dataset": dataset.dataset,
        "dataset_version": dataset.version,
        "feature_fingerprint": digest(inputs),
        "code_fingerprint": code,
        "training_fingerprint": training_fingerprint,
        "declaration": json.dumps(declaration, sort_keys=True),
        "params": json.dumps(learned.parameters, sort_keys=True),
        "seed": spec.seed,
        "row_counts": learned.row_counts,
        "signature": learned.signature.to_json(),
        "canary": learned.canary,
        "artifact_format": ESTIMATORS[spec.estimator].artifact_format,
        "artifact": learned.artifact,
        "artifact_sha256": learned.artifact_sha256,
        "libraries": [(name, library_version(name)) for name in ("lightgbm", "numpy", "duckdb", "pyarrow")],
    }
    return _to_relation(session, row)


@dataclass(frozen=True)
class _Learned:
    """What training leaves: the artifact's place under the home folder, and what goes into its record."""

    artifact: str
    artifact_sha256: str
    parameters: dict[str, Any]
    signature: Signature
    canary: str
    row_counts: list[tuple[str, int]]


def _learn(
    session: duckdb.DuckDBPyConnection,
    table_name: str,
    spec: ModelSpec,
    dataset: DatasetVersion,
    used: list[str],
    views: list[ViewInput],
    expressions: list[Expression],
) -> _Learned:
    definition = dataset.definition
    table = dataset.read(session, list(dict.fromkeys([*used, spec.target, definition["row_id"], definition["at"]])))
    target = _target(spec, table)
    splits = split_by_time(spec, table.column(definition["at"]))
    features = _features(used, definition["columns"], table, splits)
    matrix = to_matrix(table, features)
    parts = [(matrix[splits == number], target[splits == number]) for number in range(len(SPLITS))]
    estimator = ESTIMATORS[spec.estimator]
    data = TrainingData(features=features, train=parts[0], validation=parts[1])
    artifact, parameters = estimator.train(data, spec.parameters, spec.seed)

    path = f"{_folder(spec)}/{hashlib.sha256(artifact).hexdigest()}{estimator.suffix}"
    files.note_unregistered(files.home() / path, table_name)
    sha256 = files.write_whole(files.home() / path, artifact)
    signature = Signature(
        at=definition["at"],
        request=dataset.request,
        views=views,
        expressions=expressions,
        features=features,
        threshold=_threshold(spec, estimator(artifact, features).predict(parts[1][0]), parts[1][1]),
    )
    scorer = Scorer(files.home() / path, estimator.artifact_format, sha256, signature)
    return _Learned(
        artifact=path,
        artifact_sha256=sha256,
        parameters=parameters,
        signature=signature,
        canary=make_canary(scorer, table),
        row_counts=[(name, int((splits == number).sum())) for number, name in enumerate(SPLITS)],
    )


def _folder(spec: ModelSpec) -> str:
    """Where a model's artifacts lie, under the home folder."""
    return f"artifacts/models/{spec.name}"


def _used_columns(spec: ModelSpec, dataset: DatasetVersion) -> list[str]:
    columns = dataset.definition["columns"]
    if spec.target not in columns:
        raise DeclarationError(
            f"model {spec.name}: config.meta.model.target '{spec.target}' is no column of the dataset {dataset.dataset}; "
            f"its columns are {', '.join(columns)}."
        )
    used = spec.select_features(columns, {dataset.definition["row_id"], dataset.definition["at"]})
    for column in used:
        if not is_numeric(columns[column]) and canonical(columns[column]) != "VARCHAR":
            raise DeclarationError(
                f"model {spec.name}: the feature '{column}' is {columns[column]}; a model takes numbers, booleans and text. "
                "Leave it out with config.meta.model.features: {exclude: [...]}, or make a number of it."
            )
    return used


def _target(spec: ModelSpec, table: pa.Table) -> np.ndarray:
    column = table.column(spec.target)
    if column.null_count:
        raise DeclarationError(
            f"model {spec.name}: the target '{spec.target}' is null in {column.null_count} rows of the dataset "
            f"{spec.dataset}; leave out rows whose outcome is not known."
        )
    values = pc.cast(column, pa.uint8()).to_numpy() if pa.types.is_boolean(column.type) else column.to_numpy()
    if set(np.unique(values)) != {0, 1}:
        raise DeclarationError(
            f"model {spec.name}: the target '{spec.target}' of a binary task must hold both 0 and 1."
        )
    return np.asarray(values, dtype=np.float64)


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


def _threshold(spec: ModelSpec, scores: np.ndarray, target: np.ndarray) -> float:
    """The declared threshold, or the score at which F1 on the validation split is greatest."""
    if isinstance(spec.threshold, int | float):
        return float(spec.threshold)
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(target[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + target.sum())
    # Only the last of equal scores can be cut after.
    f1[:-1][np.diff(scores[order]) == 0] = -1
    return float(scores[order][np.argmax(f1)])


def _to_relation(session: duckdb.DuckDBPyConnection, row: dict[str, Any]) -> duckdb.DuckDBPyRelation:
    """A row of the model_versions contract."""
    text, number, moment = pa.string(), pa.int32(), pa.timestamp("us", tz="UTC")
    types = {
        "version": number,
        "dataset_version": number,
        "seed": number,
        "created_at": moment,
        "row_counts": pa.map_(text, pa.int64()),
        "libraries": pa.map_(text, text),
    }
    names = (
        "model version created_at estimator task target dataset dataset_version feature_fingerprint code_fingerprint "
        "training_fingerprint declaration params seed row_counts signature canary artifact_format artifact "
        "artifact_sha256 libraries"
    )
    schema = pa.schema([(name, types.get(name, text)) for name in names.split()])
    as_json = ", ".join(f"{name}::json as {name}" for name in ("declaration", "params", "signature", "canary"))
    return session.from_arrow(pa.Table.from_pylist([row], schema=schema)).select(f"* replace ({as_json})")
