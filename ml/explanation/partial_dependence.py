"""registry.partial_dependence: the mean score of a version when one feature is set to a value in all rows (Friedman 2001)."""

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.explanation.sample import samples
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Feature

SAMPLE_ROWS = 100
GRID = 20


def partial_dependence(
    dbt: Any, session: duckdb.DuckDBPyConnection, versions: duckdb.DuckDBPyRelation, datasets: duckdb.DuckDBPyRelation
) -> duckdb.DuckDBPyRelation:
    """Rows of registry.partial_dependence for the versions that have none yet.

    versions, datasets: dbt.ref() of registry.model_versions and registry.datasets.
    """
    rows: list[dict[str, Any]] = []
    for version, table in samples(session, dbt.this, versions, datasets, SAMPLE_ROWS):
        scorer = version.scorer()
        for feature in version.signature.features:
            values = grid(table.column(feature.name), feature)
            means = mean_scores(scorer, table, feature, values)
            for place, (value, of_classes) in enumerate(zip(values.to_pylist(), means.tolist(), strict=True)):
                for name, mean in zip(version.signature.classes or [""], of_classes, strict=True):
                    rows.append(
                        {
                            "model": version.model,
                            "version": version.version,
                            "feature": feature.name,
                            "class": name,
                            "place": place,
                            "value": None if value is None else str(value),
                            "mean_score": mean,
                        }
                    )
    text, number = pa.string(), pa.int32()
    names = [
        ("model", text),
        ("version", number),
        ("feature", text),
        ("class", text),
        ("place", number),
        ("value", text),
    ]
    return session.from_arrow(pa.Table.from_pylist(rows, pa.schema([*names, ("mean_score", pa.float64())])))


def grid(column: pa.ChunkedArray, feature: Feature) -> pa.Array:
    """The values that a feature is set to: at most GRID quantiles, or the commonest categories, and null where there is one."""
    known = column.drop_null()
    if feature.categories is not None or pa.types.is_boolean(column.type):
        counts = sorted(pc.value_counts(known).to_pylist(), key=lambda one: (-one["counts"], str(one["values"])))
        values = sorted(one["values"] for one in counts[:GRID])
    else:
        ordered = np.sort(known.to_numpy())
        # Quantiles that are values of the column, so that an integer stays one.
        values = (
            sorted(set(ordered[np.linspace(0, len(ordered) - 1, GRID).astype(int)].tolist())) if len(ordered) else []
        )
    return pa.array([*values, *([None] if column.null_count else [])], column.type)


def mean_scores(scorer: Scorer, table: pa.Table, feature: Feature, values: pa.Array) -> np.ndarray:
    """The mean score with the feature set to each value: shape (values, outputs)."""
    count, rows = len(values), table.num_rows
    repeated = table.take(pa.array(np.tile(np.arange(rows), count)))
    set_to = values.take(pa.array(np.repeat(np.arange(count), rows)))
    varied = repeated.set_column(table.schema.get_field_index(feature.name), feature.name, set_to)
    return np.asarray(scorer.score(varied).reshape(count, rows, scorer.signature.outputs).mean(axis=1))
