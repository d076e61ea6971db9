"""Scores of trained versions on the rows that they were trained, validated and tested with, for the metrics."""

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.datasets.versions import DatasetVersion, dataset_version
from ml.promotion.champion import present_champion
from ml.registry.history import history
from ml.registry.models import brought_over, registered_versions
from ml.scoring.scorer import Scorer
from ml.training.data import to_floats
from ml.training.decisions import decided_task
from ml.training.spec import ModelSpec
from ml.training.split import SPLITS, split_rows


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
    recorded = {version.version: version for version in registered_versions(versions)}
    if not recorded:
        # Of an optional model, which cannot be trained here.
        return session.from_arrow(
            scores_schema(decided_task(dbt.this.identifier.removesuffix("_scores"))).empty_table()
        )
    model = recorded[max(recorded)].model
    recorded |= {version.version: version for version in brought_over(model)}
    newest = recorded[max(recorded)]
    dataset_number = newest.dataset_version
    spec = ModelSpec.parse(model, newest.declaration)
    champion = present_champion(session, model)
    done = set(history(session, dbt.this, "distinct version, dataset_version"))
    wanted = recorded.keys() & {newest.version, champion}
    to_score = sorted(number for number in wanted if (number, dataset_number) not in done)
    if not to_score:
        return session.sql(f"select * from {dbt.this} limit 0")

    dataset = dataset_version(datasets, spec.dataset, dataset_number)
    table, common = rows_to_score(session, spec, dataset)
    scored = []
    for number in to_score:
        version = recorded[number]
        scorer = version.scorer()
        own = dataset_version(datasets, spec.dataset, version.dataset_version)
        features = _features(session, scorer, own, dataset, table)
        scores = score_array(scorer.score(features), scorer.signature.classes)
        baseline = version.baseline.scorer(scorer.signature) if version.baseline else None
        columns = common | {
            "model": pa.array([model] * table.num_rows),
            "version": pa.array(np.full(table.num_rows, number, np.int32)),
            "score": scores,
            "baseline": score_array(baseline.score(features), scorer.signature.classes)
            if baseline
            else pa.nulls(table.num_rows, scores.type),
            "threshold": pa.array([scorer.signature.threshold] * table.num_rows, pa.float64()),
        }
        schema = scores_schema(spec.task)
        scored.append(pa.table({name: columns[name] for name in schema.names}).cast(schema))
    return session.from_arrow(pa.concat_tables(scored))


def rows_to_score(
    session: duckdb.DuckDBPyConnection, spec: ModelSpec, dataset: DatasetVersion
) -> tuple[pa.Table, dict[str, pa.Array]]:
    """The rows of a dataset version, ordered by row id, and those columns of the scores contract that no scorer changes."""
    row_id, at = dataset.definition["row_id"], dataset.definition["at"]
    by = [spec.split.column] if spec.split.column else []
    table = dataset.read(session, list(dict.fromkeys([row_id, at, spec.target, *by, *spec.slices])))
    slices = [pc.cast(table.column(name), pa.string()).to_pylist() for name in spec.slices]
    slice_maps = [list(zip(spec.slices, values, strict=True)) for values in zip(*slices, strict=True)]
    target = (
        pc.cast(table.column(spec.target), pa.string()) if spec.task == "multiclass" else to_floats(table, spec.target)
    )
    return table, {
        "dataset_version": pa.array(np.full(table.num_rows, dataset.version, np.int32)),
        "row_id": pc.cast(table.column(row_id), pa.string()),
        "split": pa.array(np.array(SPLITS)[split_rows(spec, table, row_id, at)]),
        "slices": pa.array(slice_maps or [[]] * table.num_rows, pa.map_(pa.string(), pa.string())),
        "target": target,
    }


def score_array(scores: np.ndarray, classes: list[str]) -> pa.Array:
    """Scores as SQL and JSON have them: numbers, or, of classes, maps from class to probability."""
    if not classes:
        return pa.array(scores)
    offsets = np.arange(0, scores.size + 1, len(classes), dtype=np.int32)
    keys = pa.array(classes * len(scores), pa.string())
    return pa.MapArray.from_arrays(pa.array(offsets), keys, pa.array(scores.ravel()))


def scores_schema(task: str) -> pa.Schema:
    """The scores contract of a task."""
    text, number = pa.string(), pa.int32()
    kind = pa.map_(text, pa.float64()) if task == "multiclass" else pa.float64()
    return pa.schema(
        [
            ("model", text),
            ("version", number),
            ("dataset_version", number),
            ("row_id", text),
            ("split", text),
            ("slices", pa.map_(text, text)),
            ("target", text if task == "multiclass" else pa.float64()),
            ("score", kind),
            ("baseline", kind),
            ("threshold", pa.float64()),
        ]
    )


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
