"""Scores of trained versions on rows that dbt hands over: hold-outs for the metrics, batches for the analysts."""

import json
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml import files
from ml.baseline import Baseline
from ml.datasets import DatasetVersion, dataset_version
from ml.errors import DeclarationError
from ml.history import history
from ml.promotion.champion import present_champion
from ml.promotion.decision import imported_versions
from ml.scorer import Scorer
from ml.signature import Signature
from ml.spec import ModelSpec
from ml.split import SPLITS, split_rows
from ml.training_data import to_floats

_RECORD = (
    *("model", "version", "dataset_version", "artifact", "artifact_format", "artifact_sha256"),
    *("signature", "declaration", "baseline"),
)
_VERSION_COLUMNS = ", ".join(
    f"cast({name} as varchar)" if name in ("signature", "declaration", "baseline") else name for name in _RECORD
)


def score_hold_out(
    dbt: Any,
    session: duckdb.DuckDBPyConnection,
    versions: duckdb.DuckDBPyRelation,
    datasets: duckdb.DuckDBPyRelation,
) -> duckdb.DuckDBPyRelation:
    """Score the newest version and the present champion on every split of the newest version's dataset.

    versions: dbt.ref() of the training model, to which those that were brought over from other environments are added;
    datasets: dbt.ref("datasets"). Returns rows of the scores contract that are not in dbt.this yet. Each version takes the
    features that it was trained on, for the same rows.
    """
    recorded = {row[1]: row for row in _versions(versions)}
    if not recorded:
        # Of a model that cannot be trained here, such as one that is optional.
        return session.sql(f"select * from {dbt.this} limit 0")
    model = recorded[max(recorded)][0]
    recorded |= {row["version"]: tuple(row[name] for name in _RECORD) for row in imported_versions(model)}
    newest = recorded[max(recorded)]
    dataset_number = newest[2]
    spec = ModelSpec.parse(model, json.loads(newest[7]))
    champion = present_champion(session, model)
    done = set(history(session, dbt.this, "distinct version, dataset_version"))
    wanted = recorded.keys() & {newest[1], champion}
    to_score = sorted(number for number in wanted if (number, dataset_number) not in done)
    if not to_score:
        return session.sql(f"select * from {dbt.this} limit 0")

    dataset = dataset_version(datasets, spec.dataset, dataset_number)
    row_id, at = dataset.definition["row_id"], dataset.definition["at"]
    by = [spec.split.column] if spec.split.column else []
    table = dataset.read(session, list(dict.fromkeys([row_id, at, spec.target, *by, *spec.slices])))
    slices = [pc.cast(table.column(name), pa.string()).to_pylist() for name in spec.slices]
    slice_maps = [list(zip(spec.slices, values, strict=True)) for values in zip(*slices, strict=True)]
    target = (
        pc.cast(table.column(spec.target), pa.string()) if spec.task == "multiclass" else to_floats(table, spec.target)
    )
    common = {
        "model": pa.array([model] * table.num_rows),
        "dataset_version": pa.array(np.full(table.num_rows, dataset_number, np.int32)),
        "row_id": pc.cast(table.column(row_id), pa.string()),
        "split": pa.array(np.array(SPLITS)[split_rows(spec, table, row_id, at)]),
        "slices": pa.array(slice_maps or [[]] * table.num_rows, pa.map_(pa.string(), pa.string())),
        "target": target,
    }
    scored = []
    for number in to_score:
        version = recorded[number]
        scorer = _scorer(version)
        own = dataset_version(datasets, spec.dataset, version[2])
        features = _features(session, scorer, own, dataset, table)
        scores = score_array(scorer.score(features), scorer.signature)
        baseline = Baseline(**json.loads(version[8])).scorer(scorer.signature) if version[8] else None
        columns = common | {
            "version": pa.array(np.full(table.num_rows, number, np.int32)),
            "score": scores,
            "baseline": score_array(baseline.score(features), scorer.signature)
            if baseline
            else pa.nulls(table.num_rows, scores.type),
            "threshold": pa.array([scorer.signature.threshold] * table.num_rows, pa.float64()),
        }
        scored.append(pa.table({name: columns[name] for name in _SCORES}))
    return session.from_arrow(pa.concat_tables(scored))


def score_array(scores: np.ndarray, signature: Signature) -> pa.Array:
    """Scores as SQL and JSON have them: numbers, or maps from class to probability."""
    if not signature.classes:
        return pa.array(scores)
    offsets = np.arange(0, scores.size + 1, len(signature.classes), dtype=np.int32)
    keys = pa.array(signature.classes * len(scores), pa.string())
    return pa.MapArray.from_arrays(pa.array(offsets), keys, pa.array(scores.ravel()))


def score_batch(
    dbt: Any,
    session: duckdb.DuckDBPyConnection,
    declared: dict[str, str],
    rows: duckdb.DuckDBPyRelation,
    versions: duckdb.DuckDBPyRelation,
    aliases: duckdb.DuckDBPyRelation,
) -> duckdb.DuckDBPyRelation:
    """Score rows by a model's champion.

    declared: `dbt.config.meta_get("predictions")`, {model, row_id}; rows: what `model_features()` gives; versions, aliases:
    dbt.ref() of registry.model_versions and registry.current_aliases. Returns rows of the predictions contract. Raises
    DeclarationError where the model has no champion.
    """
    model, row_id = declared["model"], declared["row_id"]
    champions = {row[0]: row[2] for row in aliases.select("model, alias, version").fetchall() if row[1] == "champion"}
    if model not in champions:
        raise DeclarationError(
            f"{dbt.this}: the model '{model}' has no champion in registry.current_aliases; train it first."
        )
    recorded = next(row for row in _versions(versions) if row[:2] == (model, champions[model]))
    scorer = _scorer(recorded)
    signature = scorer.signature
    table = rows.to_arrow_table()
    scores = scorer.score(table)
    missing: list[list[str]] = [[] for _ in range(table.num_rows)]
    for view in signature.views:
        for number, status in enumerate(table.column(f"{view.name}_status").to_pylist()):
            if status != "present":
                missing[number].append(view.view)
    predictions = pa.table(
        {
            "model": pa.array([model] * table.num_rows, pa.string()),
            "version": pa.array(np.full(table.num_rows, champions[model], np.int32)),
            "row_id": pc.cast(table.column(row_id), pa.string()),
            "predicted_at": table.column(signature.at),
            "score": pa.array(scores),
            "label": pa.array(scores >= signature.threshold),
            "status": pa.array(["incomplete" if views else "ok" for views in missing], pa.string()),
            "missing": pa.array(missing, pa.list_(pa.string())),
        }
    )
    return session.from_arrow(predictions)


_SCORES = [
    "model",
    "version",
    "dataset_version",
    "row_id",
    "split",
    "slices",
    "target",
    "score",
    "baseline",
    "threshold",
]


def _features(
    session: duckdb.DuckDBPyConnection, scorer: Scorer, own: DatasetVersion, newest: DatasetVersion, rows: pa.Table
) -> pa.Table:
    """What a version takes, for the rows of the newest dataset version, by the definition that it was trained on.

    own: the dataset version that it was trained on. Where both define the features alike, the recorded ones are read.
    """
    features = [feature.name for feature in scorer.signature.features]
    parts = ("views", "expressions", "columns")
    if all(own.definition[part] == newest.definition[part] for part in parts):
        return newest.read(session, features)
    return own.read_again(session, features, rows)


def _versions(versions: duckdb.DuckDBPyRelation) -> list[tuple[Any, ...]]:
    return versions.select(_VERSION_COLUMNS).fetchall()


def _scorer(version: tuple[Any, ...]) -> Scorer:
    artifact, artifact_format, sha256, signature = version[3:7]
    return Scorer(files.home() / artifact, artifact_format, sha256, Signature.from_json(signature))
