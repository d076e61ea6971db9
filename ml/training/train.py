"""Training: a dataset version in, a row of model_versions out, when there is something new to learn."""

import dataclasses
import datetime as dt
import hashlib
import importlib.util
import json
import logging
import platform
from importlib.metadata import version as library_version
from typing import Any

import duckdb
import pyarrow as pa

from ml import files
from ml.datasets.versions import DatasetVersion, dataset_version, model_inputs
from ml.digest import digest
from ml.errors import DeclarationError
from ml.estimators import ESTIMATORS
from ml.estimators.base import Estimator
from ml.promotion.decision import imported_versions
from ml.registry.history import history
from ml.scoring.canary import make_canary
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Expression, Signature, ViewInput
from ml.training.baseline import Baseline, train_baseline
from ml.training.data import prepare
from ml.training.decisions import keep_decision
from ml.training.declarations import check_columns
from ml.training.inputs import reason_to_train, training_inputs
from ml.training.retrain import asked_since
from ml.training.spec import ModelSpec
from ml.training.threshold import choose_threshold
from ml.tuning.choice import with_best_trial

LIBRARIES = ("lightgbm", "numpy", "duckdb", "pyarrow")

logger = logging.getLogger("ml.training.train")


def train(
    dbt: Any,
    session: duckdb.DuckDBPyConnection,
    declaration: dict[str, Any],
    datasets: duckdb.DuckDBPyRelation,
    feature_views: duckdb.DuckDBPyRelation,
    trials: duckdb.DuckDBPyRelation | None = None,
) -> duckdb.DuckDBPyRelation:
    """Train the model that the calling dbt model declares, if its latest version is not what would come out.

    declaration: `dbt.config.meta_get("model")`; datasets, feature_views: dbt.ref() of the registry's tables of these
    names; trials: of a model that is tuned, dbt.ref() of its trials. Returns a relation with the new version's row of
    model_versions, or without rows; why is in registry.training_decisions. Raises DeclarationError where the YAML cannot hold.
    """
    spec, note = with_best_trial(ModelSpec.parse(dbt.this.identifier, declaration), trials)
    table, folder = str(dbt.this), artifacts_folder(spec.name)
    dataset = dataset_version(datasets, spec.dataset)
    used = check_columns(spec, dataset.columns, dataset.not_features)
    views, expressions = model_inputs(dataset, feature_views, used)
    own = history(session, dbt.this, "version, inputs, artifact, baseline, created_at, dataset_version")
    files.drop_unregistered(files.home() / folder, table, [path for row in own for path in _artifacts(row)])
    latest = _latest(session, spec.name, own)
    estimator = ESTIMATORS[spec.estimator]
    if missing := [package for package in estimator.requires if importlib.util.find_spec(package) is None]:
        said = f"{', '.join(missing)} is not installed: pip install 'eiderdown[{estimator.extra}]'"
        if not spec.optional:
            raise DeclarationError(f"model {spec.name}: the estimator {spec.estimator} cannot train, {said}.")
        logger.warning("model %s is not trained: %s", spec.name, said)
        keep_decision(spec, "skipped", latest.version or None, dataset, said)
        return _to_relation(session, None)

    declared = declaration | {"estimator": spec.estimator}
    inputs = training_inputs(spec, declared, dataset, used, views, expressions, spec.parameters)
    reason = reason_to_train(latest.inputs, inputs, spec.target)
    if not reason:
        keep_decision(spec, "kept", latest.version, dataset, f"nothing that it learned from has changed{note}")
        return _to_relation(session, None)
    if spec.retrain.on == "on_decision" and latest.version:
        asked = asked_since(spec.name, latest.version, latest.created_at)
        if asked is None:
            new_rows = dataset.row_count - _row_count(datasets, spec.dataset, latest.dataset_version)
            waits = f"waits for a decision ({reason}); rows more than it learned from: {new_rows}"
            keep_decision(spec, "kept", latest.version, dataset, waits)
            return _to_relation(session, None)
        reason = f"{asked.reason} (decision {asked.event_id} of {asked.decided_by}); {reason}"
    reason += note
    row = _learn(session, table, spec, dataset, used, views, expressions)
    keep_decision(spec, "trained", latest.version + 1, dataset, reason)
    return _to_relation(
        session,
        row
        | {
            "model": spec.name,
            "version": latest.version + 1,
            "reason": reason,
            "inputs": json.dumps(inputs),
            "training_fingerprint": digest(inputs),
            "code_fingerprint": inputs["code"],
            "feature_fingerprint": digest([inputs["request"], inputs["views"], inputs["expressions"]]),
            "declaration": json.dumps(declaration, sort_keys=True),
        },
    )


def artifacts_folder(model: str) -> str:
    """Where a model's artifacts lie, under the home folder."""
    return f"artifacts/models/{model}"


@dataclasses.dataclass(frozen=True)
class _Latest:
    version: int
    inputs: dict[str, Any] | None
    created_at: dt.datetime
    dataset_version: int


def _latest(session: duckdb.DuckDBPyConnection, model: str, own: list[tuple[Any, ...]]) -> _Latest:
    """The latest version, also one that was brought over from another environment."""
    registered = history(session, "registry.model_versions", "version, inputs, created_at, dataset_version, model")
    known = {row[0]: (row[1], row[4], row[5]) for row in own}
    known |= {row[0]: row[1:4] for row in registered if row[4] == model}
    for record in imported_versions(model):
        created_at = dt.datetime.fromisoformat(record["created_at"])
        known[record["version"]] = (record["inputs"], created_at, record["dataset_version"])
    if not known:
        return _Latest(0, None, dt.datetime.min.replace(tzinfo=dt.UTC), 0)
    inputs, created_at, dataset = known[max(known)]
    return _Latest(max(known), json.loads(inputs), created_at, dataset)


def _row_count(datasets: duckdb.DuckDBPyRelation, dataset: str, version: int) -> int:
    rows = datasets.select("dataset, version, row_count").fetchall()
    return next((count for name, number, count in rows if (name, number) == (dataset, version)), 0)


def _artifacts(row: tuple[Any, ...]) -> list[str]:
    baseline = json.loads(row[3]) if row[3] else None
    return [row[2], *([baseline["artifact"]] if baseline else [])]


def _learn(
    session: duckdb.DuckDBPyConnection,
    table: str,
    spec: ModelSpec,
    dataset: DatasetVersion,
    used: list[str],
    views: list[ViewInput],
    expressions: list[Expression],
) -> dict[str, Any]:
    """Train, write the artifacts, and describe them: the row of model_versions but for what is known before."""
    estimator = ESTIMATORS[spec.estimator]
    prepared = prepare(session, spec, dataset, used)
    data = prepared.data
    trained = estimator.train(data, spec.parameters, spec.seed)
    signature = Signature(
        at=dataset.definition["at"],
        request=dataset.request,
        views=views,
        expressions=expressions,
        features=data.features,
        task=spec.task,
        classes=prepared.classes,
        threshold=None,
    )
    folder = artifacts_folder(spec.name)
    path = f"{folder}/{hashlib.sha256(trained.artifact).hexdigest()}{estimator.suffix}"
    files.note_unregistered(files.home() / path, table)
    sha256 = files.write_whole(files.home() / path, trained.artifact)
    scorer = Scorer(files.home() / path, estimator.artifact_format, sha256, signature)
    scores = scorer.score_matrix(data.validation[0])
    threshold = choose_threshold(spec, scores, data.validation[1], data.validation_weights)
    baseline = train_baseline(spec, data, folder, table)
    return {
        "created_at": dt.datetime.now(dt.UTC),
        "estimator": spec.estimator,
        "task": spec.task,
        "target": spec.target,
        "dataset": dataset.dataset,
        "dataset_version": dataset.version,
        "params": json.dumps(trained.parameters, sort_keys=True),
        "seed": spec.seed,
        "row_counts": prepared.row_counts,
        "label_sources": prepared.label_sources,
        "learning_curve": list(trained.learning_curve.items()),
        "signature": dataclasses.replace(signature, threshold=threshold).to_json(),
        "canary": make_canary(scorer, prepared.table),
        "baseline": _to_json(baseline),
        "artifact_format": estimator.artifact_format,
        "artifact": path,
        "artifact_sha256": sha256,
        "libraries": list(libraries(estimator).items()),
    }


def libraries(estimator: type[Estimator]) -> dict[str, str]:
    """The versions of what a training is made with here: libraries, Python and the machine."""
    found = {name: library_version(name) for name in (*LIBRARIES, *estimator.requires)}
    return found | {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}


def _to_json(baseline: Baseline | None) -> str | None:
    return json.dumps(dataclasses.asdict(baseline)) if baseline else None


_TEXT, _NUMBER = pa.string(), pa.int32()
_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("model", _TEXT),
    ("version", _NUMBER),
    ("created_at", pa.timestamp("us", tz="UTC")),
    ("reason", _TEXT),
    ("estimator", _TEXT),
    ("task", _TEXT),
    ("target", _TEXT),
    ("dataset", _TEXT),
    ("dataset_version", _NUMBER),
    ("feature_fingerprint", _TEXT),
    ("code_fingerprint", _TEXT),
    ("training_fingerprint", _TEXT),
    ("inputs", _TEXT),
    ("declaration", _TEXT),
    ("params", _TEXT),
    ("seed", _NUMBER),
    ("row_counts", pa.map_(_TEXT, pa.int64())),
    ("label_sources", pa.map_(_TEXT, pa.int64())),
    ("learning_curve", pa.map_(_TEXT, pa.list_(pa.float64()))),
    ("signature", _TEXT),
    ("canary", _TEXT),
    ("baseline", _TEXT),
    ("artifact_format", _TEXT),
    ("artifact", _TEXT),
    ("artifact_sha256", _TEXT),
    ("libraries", pa.map_(_TEXT, _TEXT)),
    ("origin", _TEXT),
]
_JSON = ("inputs", "declaration", "params", "signature", "canary", "baseline")


def _to_relation(session: duckdb.DuckDBPyConnection, row: dict[str, Any] | None) -> duckdb.DuckDBPyRelation:
    """A row of the model_versions contract, or none."""
    table = pa.Table.from_pylist([row] if row else [], schema=pa.schema(_COLUMNS))
    as_json = ", ".join(f"{name}::json as {name}" for name in _JSON)
    return session.from_arrow(table).select(f"* replace ({as_json})")
