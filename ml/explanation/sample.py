"""Rows that a version was not trained on, to look at how it behaves."""

import duckdb
import numpy as np
import pyarrow as pa

from ml.datasets.versions import DatasetVersion
from ml.registry.models import ModelVersion
from ml.training.spec import ModelSpec
from ml.training.split import SPLITS, split_rows


def sample_test_split(
    session: duckdb.DuckDBPyConnection, version: ModelVersion, dataset: DatasetVersion, most: int
) -> pa.Table:
    """At most so many rows of the test split, evenly spaced in the order of row ids: features and target.

    dataset: the one that the version was trained on.
    """
    spec = ModelSpec.parse(version.model, version.declaration)
    row_id, at = dataset.definition["row_id"], dataset.definition["at"]
    features = [feature.name for feature in version.signature.features]
    by = [spec.split.column] if spec.split.column else []
    table = dataset.read(session, list(dict.fromkeys([row_id, at, spec.target, *by, *features])))
    places = np.flatnonzero(split_rows(spec, table, row_id, at) == SPLITS.index("test"))
    chosen = places[np.unique(np.linspace(0, len(places) - 1, most).astype(int))]
    return table.take(pa.array(chosen)).select(list(dict.fromkeys([*features, spec.target])))
