"""Do two samples differ in anything, also in how columns go together? A classifier that tells them apart says so.

    select drift_classifier(list(old_rows), list(new_rows)) from …

Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests". LightGBM, out of fold, so that an AUC of 0.5 is no drift.
"""

import json
import math
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FOLDS = 4
PARAMETERS = {"num_boost_round": 30, "early_stopping_rounds": 5, "learning_rate": 0.2, "num_leaves": 15}
NAMED_FEATURES = 3
# Of a category with more values, these occur most.
_CATEGORIES = 100
_LEAST_ROWS = 50
_RESULT = (
    "STRUCT(value DOUBLE, p_value DOUBLE, chance DOUBLE, reference_count BIGINT, row_count BIGINT, evidence VARCHAR)"
)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register drift_classifier(reference, current): lists of structs of one kind -> STRUCT, see tell_apart()."""
    options: dict[str, Any] = {"type": "arrow"}
    connection.create_function("drift_classifier", _drift_classifier, None, _RESULT, **options)


def _drift_classifier(*arguments: pa.ChunkedArray) -> pa.Array:
    told = []
    for sides in zip(*arguments, strict=True):
        told.append(tell_apart(*(pa.Table.from_struct_array(side.values) for side in sides)))
    return pa.array(told)


def tell_apart(reference: pa.Table, current: pa.Table) -> dict[str, Any]:
    """How well a row's side can be told: {value, p_value, chance, reference_count, row_count, evidence}.

    reference, current: tables of the same columns, numbers, booleans and texts, in the order of time. value: the mean AUC over
    folds, each a stretch of both, scored by trees that have not seen it; p_value, one-sided, and chance (the quantile at 95 %,
    above 0.5) by the variance of the Mann-Whitney statistic without drift; evidence: JSON {low, high, features}, the 95 %
    interval of Hanley and McNeil (1982) and what tells the sides apart best, {feature: share of the gain}. value is null where
    a side has fewer than 50 rows.
    """
    counts = {"reference_count": reference.num_rows, "row_count": current.num_rows}
    if min(counts.values()) < _LEAST_ROWS:
        return {"value": None, "p_value": None, "chance": None, **counts, "evidence": None}
    auc, gain = _out_of_fold(pa.concat_tables([reference, current]), reference.num_rows)
    n, m = counts["reference_count"], counts["row_count"]
    error = math.sqrt((n + m + 1) / (12 * n * m))
    interval = 1.959963984540054 * _interval_error(auc, n, m)
    best = sorted(gain.items(), key=lambda item: -item[1])[:NAMED_FEATURES]
    evidence = {
        "low": max(auc - interval, 0.0),
        "high": min(auc + interval, 1.0),
        "features": {name: round(share, 4) for name, share in best if share > 0},
    }
    return {
        "value": auc,
        "p_value": 0.5 * math.erfc((auc - 0.5) / error / math.sqrt(2)),
        "chance": 1.6448536269514722 * error,
        **counts,
        "evidence": json.dumps(evidence),
    }


def _out_of_fold(table: pa.Table, reference_rows: int) -> tuple[float, dict[str, float]]:
    """The mean AUC over the folds, and each feature's share of the gain. The first rows are those of the reference."""
    # Here, since most runs of dbt have nothing to tell apart.
    from ml.estimators.base import TrainingData
    from ml.estimators.lightgbm import LightGBM
    from ml.scoring.matrix import to_matrix
    from ml.tuning.metrics import measure

    features = [_feature(table, name) for name in table.column_names]
    matrix = to_matrix(table, features)
    target = (np.arange(len(matrix)) >= reference_rows).astype(np.float64)
    fold = np.concatenate(
        [np.arange(count) * FOLDS // count for count in (reference_rows, len(matrix) - reference_rows)]
    )
    scores, gain = [], np.zeros(len(features))
    for held_out in range(FOLDS):
        stops = (held_out + 1) % FOLDS
        train, validation = ~np.isin(fold, (held_out, stops)), fold == stops
        data = TrainingData(
            "binary", 1, features, (matrix[train], target[train]), (matrix[validation], target[validation])
        )
        trained = LightGBM.train(data, PARAMETERS, seed=1)
        trees = LightGBM(trained.artifact, features, 1)
        test = fold == held_out
        scores.append(measure("auc", "binary", trees.predict(matrix[test]), target[test], None))
        gain += np.abs(trees.contributions(matrix[test][:500]))[:, :-1].mean(axis=0)
    shares = gain / max(gain.sum(), np.finfo(float).tiny)
    return float(np.mean(scores)), {feature.name: float(share) for feature, share in zip(features, shares, strict=True)}


def _feature(table: pa.Table, name: str) -> Any:
    from ml.scoring.signature import Feature

    column = table.column(name)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return Feature(name, "BOOLEAN" if pa.types.is_boolean(column.type) else "DOUBLE", None)
    counts = sorted(pc.value_counts(column.drop_null()).to_pylist(), key=lambda one: (-one["counts"], one["values"]))
    return Feature(name, "VARCHAR", sorted(one["values"] for one in counts[:_CATEGORIES]))


def _interval_error(auc: float, n: int, m: int) -> float:
    """The standard error of an AUC (Hanley and McNeil 1982)."""
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    return math.sqrt((auc * (1 - auc) + (m - 1) * (one - auc**2) + (n - 1) * (two - auc**2)) / (n * m))
