"""registry.feature_importance: how much each feature counts in a version, over a sample of its test split.

Two methods: `contribution`, the mean absolute contribution to the raw score (Lundberg et al. 2020), and `permutation`, by
how much the loss grows when the feature's values are shuffled (Breiman 2001; Fisher et al. 2019). The loss is the log loss,
or of a regression the squared error; where no row's target is known, there is none.
"""

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.explanation.sample import samples
from ml.registry.models import ModelVersion
from ml.scoring.scorer import Scorer
from ml.training.data import to_floats

SAMPLE_ROWS = 500


def feature_importance(
    dbt: Any, session: duckdb.DuckDBPyConnection, versions: duckdb.DuckDBPyRelation, datasets: duckdb.DuckDBPyRelation
) -> duckdb.DuckDBPyRelation:
    """Rows of registry.feature_importance for the versions that have none yet.

    versions, datasets: dbt.ref() of registry.model_versions and registry.datasets.
    """
    rows: list[dict[str, Any]] = []
    for version, table in samples(session, dbt.this, versions, datasets, SAMPLE_ROWS):
        scorer = version.scorer()
        features = [feature.name for feature in version.signature.features]
        found = {"contribution": mean_contributions(scorer, table)}
        if not table.column(version.target).null_count:
            found["permutation"] = permutation_importance(scorer, table, targets(version, table), version.seed)
        for method, values in found.items():
            rows.extend(
                {"model": version.model, "version": version.version, "feature": name, "method": method, "value": value}
                for name, value in zip(features, values.tolist(), strict=True)
            )
    schema = [("model", pa.string()), ("version", pa.int32()), ("feature", pa.string()), ("method", pa.string())]
    return session.from_arrow(pa.Table.from_pylist(rows, pa.schema([*schema, ("value", pa.float64())])))


def targets(version: ModelVersion, table: pa.Table) -> np.ndarray:
    """The target of a table's rows as estimators have it: shape (rows,), the place of the class of a multiclass task."""
    if version.signature.classes:
        texts = pc.cast(table.column(version.target), pa.string())
        return np.asarray(pc.index_in(texts, pa.array(version.signature.classes)).to_numpy(), dtype=np.int64)
    return np.asarray(to_floats(table, version.target).to_numpy())


def mean_contributions(scorer: Scorer, table: pa.Table) -> np.ndarray:
    """The mean absolute contribution of each feature, over rows and classes: shape (features,)."""
    contributions = np.abs(scorer.contributions(table))[..., :-1]
    return np.asarray(contributions.reshape(-1, contributions.shape[-1]).mean(axis=0))


def permutation_importance(scorer: Scorer, table: pa.Table, target: np.ndarray, seed: int) -> np.ndarray:
    """How much the mean loss grows when each feature in turn is shuffled: shape (features,)."""
    order = np.random.default_rng(seed).permutation(table.num_rows)
    before = _loss(scorer, table, target)
    grown = []
    for feature in scorer.signature.features:
        place = table.schema.get_field_index(feature.name)
        shuffled = table.set_column(place, feature.name, table.column(feature.name).take(pa.array(order)))
        grown.append(_loss(scorer, shuffled, target) - before)
    return np.array(grown)


def _loss(scorer: Scorer, table: pa.Table, target: np.ndarray) -> float:
    scores = scorer.score(table)
    if scorer.signature.task == "regression":
        return float(np.mean((scores - target) ** 2))
    of_class = np.column_stack([1 - scores, scores]) if scores.ndim == 1 else scores
    likelihood = of_class[np.arange(len(target)), target.astype(int)]
    return float(-np.log(np.maximum(likelihood, np.finfo(float).eps)).mean())
