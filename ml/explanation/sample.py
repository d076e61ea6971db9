"""Rows that a version was not trained on, to look at how it behaves."""

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ml.datasets.versions import DatasetVersion, dataset_version
from ml.registry.history import history
from ml.registry.models import ModelVersion, registered_versions
from ml.training.spec import ModelSpec
from ml.training.split import SPLITS, split_rows


def samples(
    session: duckdb.DuckDBPyConnection,
    relation: Any,
    versions: duckdb.DuckDBPyRelation,
    datasets: duckdb.DuckDBPyRelation,
    most: int,
) -> Iterator[tuple[ModelVersion, pa.Table]]:
    """The versions that a registered table has no rows of, whose artifacts are there, each with a sample of its test split.

    relation: `dbt.this`; versions, datasets: registry.model_versions and registry.datasets; most: rows of a sample.
    """
    done = set(history(session, relation, "distinct model, version"))
    for version in registered_versions(versions):
        if (version.model, version.version) not in done and version.is_there():
            dataset = dataset_version(datasets, version.dataset, version.dataset_version)
            yield version, sample_test_split(session, version, dataset, most)


def sample_test_split(
    session: duckdb.DuckDBPyConnection, version: ModelVersion, dataset: DatasetVersion, most: int
) -> pa.Table:
    """At most so many rows of the test split, evenly spaced in the order of row ids: features and target.

    dataset: the one that the version was trained on. Rows whose target is not known come only where none is.
    """
    spec = ModelSpec.parse(version.model, version.declaration)
    row_id, at = dataset.definition["row_id"], dataset.definition["at"]
    features = [feature.name for feature in version.signature.features]
    by = [spec.split.column] if spec.split.column else []
    table = dataset.read(session, list(dict.fromkeys([row_id, at, spec.target, *by, *features])))
    is_test = split_rows(spec, table, row_id, at) == SPLITS.index("test")
    is_known = np.asarray(table.column(spec.target).is_valid().to_numpy())
    places = np.flatnonzero(is_test & is_known if (is_test & is_known).any() else is_test)
    chosen = places[np.unique(np.linspace(0, len(places) - 1, most).astype(int))]
    return table.take(pa.array(chosen)).select(list(dict.fromkeys([*features, spec.target])))
