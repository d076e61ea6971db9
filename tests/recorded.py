"""Dataset versions and models made up for tests."""

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import duckdb

from ml import files
from ml.datasets.versions import DatasetVersion
from ml.estimators import ESTIMATORS
from ml.registry.models import ModelVersion
from ml.scoring.signature import Feature, Signature

DEFINITION: dict[str, Any] = {
    "row_id": "id",
    "at": "seen_at",
    "not_null": ["id"],
    "request": {},
    "expressions": [],
    "views": [],
    "sql": "select * from orders",
}


def record(folder: Path, number: int, columns: dict[str, str], rows: str, **definition: Any) -> DatasetVersion:
    """A version with the rows of a query, as the dataset materialization records it."""
    path = folder / f"{number}.parquet"
    names = ", ".join(f'cast("{name}" as {sql_type}) as "{name}"' for name, sql_type in columns.items())
    with duckdb.connect() as session:
        session.execute("set TimeZone = 'UTC'")
        session.execute(f"copy (select {names} from ({rows}) order by id) to '{path}' (format parquet)")
        count = session.execute(f"select count(*) from '{path}'").fetchall()[0][0]
    return DatasetVersion(
        "orders",
        number,
        f"fingerprint {number}",
        count,
        DEFINITION | {"columns": columns} | definition,
        {},
        str(path),
        files.sha256(path),
        dt.datetime(2026, 1, number, tzinfo=dt.UTC),
    )


def view(name: str, version: int) -> dict[str, Any]:
    return {"view": name, "version": version, "features": {}}


def record_model(
    home: Path, artifact: bytes, estimator: str, task: str, features: list[Feature], classes: list[str], **changed: Any
) -> ModelVersion:
    """A version of a model with an artifact, as training records it under a home folder."""
    kind = ESTIMATORS[estimator]
    path = f"artifacts/models/made_up/{hashlib.sha256(artifact).hexdigest()}{kind.suffix}"
    sha256 = files.write_whole(home / path, artifact)
    fields: dict[str, Any] = {
        "model": "made_up",
        "version": 1,
        "created_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "reason": "first version",
        "estimator": estimator,
        "task": task,
        "target": "target",
        "dataset": "orders",
        "dataset_version": 1,
        "feature_fingerprint": "",
        "code_fingerprint": "",
        "training_fingerprint": "",
        "inputs": {},
        "declaration": {"task": task, "dataset": "orders", "target": "target", "estimator": estimator},
        "params": {},
        "seed": 1,
        "row_counts": {},
        "label_sources": None,
        "learning_curve": {},
        "signature": Signature("seen_at", [], [], [], features, task, classes, 0.5 if task == "binary" else None),
        "canary": "{}",
        "baseline": None,
        "artifact_format": kind.artifact_format,
        "artifact": path,
        "artifact_sha256": sha256,
        "libraries": {},
        "origin": None,
    }
    return ModelVersion(**fields | changed)
