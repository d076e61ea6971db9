"""What the registry says of a version of a model, from a release: metrics, aliases, curves, importance, trials."""

import dataclasses
from typing import Any

import duckdb
import pyarrow as pa

from ml.registry.models import ModelVersion
from ml.training.reproduction import reproductions_of

Row = dict[str, Any]


def metrics_of(connection: duckdb.DuckDBPyConnection, model: str, version: int) -> pa.Table:
    """The rows of registry.model_metrics of a version: a row for each dataset version, split, slice and metric."""
    return connection.sql(
        "select * from registry.model_metrics where model = ? and version = ? "
        "order by dataset_version desc, split = 'train', split = 'validation', slice <> 'all', slice, metric",
        params=[model, version],
    ).to_arrow_table()


def rows_of(connection: duckdb.DuckDBPyConnection, table: str, version: ModelVersion) -> list[Row] | None:
    """The rows of a table of the registry that are of a version; None where the release has no such table."""
    if not _has(connection, "registry", table):
        return None
    query = f'select * from registry."{table}" where model = ? and version = ? order by all'
    return _rows(connection, query, version.model, version.version)


def alias_history(connection: duckdb.DuckDBPyConnection, version: ModelVersion) -> list[Row]:
    """When each alias named a version, the latest first: {alias, since, until, reason}; until: None where it does now."""
    return _rows(
        connection,
        "select alias, since, until, reason from (select *, lead(since) over (partition by alias order by since) as until "
        "from registry.model_aliases where model = ?) where version = ? order by since desc",
        version.model,
        version.version,
    )


def trials_of(connection: duckdb.DuckDBPyConnection, version: ModelVersion) -> list[Row] | None:
    """The finished and pruned trials of a model's search, in their order; None where the release has no table of them."""
    table = f"{version.model}_trials"
    if not _has(connection, "training", table):
        return None
    return _rows(connection, f'select * from training."{table}" order by study, trial')


def importance_of(connection: duckdb.DuckDBPyConnection, version: ModelVersion) -> list[Row]:
    """{feature, method, value} of a version, the greatest of each method first; none where it was not computed."""
    rows = rows_of(connection, "feature_importance", version) or []
    kept = [{name: row[name] for name in ("feature", "method", "value")} for row in rows]
    return sorted(kept, key=lambda row: (row["method"], -row["value"]))


def metric_of(connection: duckdb.DuckDBPyConnection, version: ModelVersion, split: str, metric: str) -> Row | None:
    """{value, low, high, baseline} of a metric over all rows of a split of the version's own data; None where there is none."""
    rows = _rows(
        connection,
        "select value, low, high, baseline from registry.model_metrics where model = ? and version = ? "
        "and dataset_version = ? and split = ? and slice = 'all' and metric = ? and value is not null",
        version.model,
        version.version,
        version.dataset_version,
        split,
        metric,
    )
    return rows[0] if rows else None


def test_rows(connection: duckdb.DuckDBPyConnection, table: str, version: ModelVersion) -> list[Row]:
    """The rows of a table of the registry about all of the test split of the version's own data; none without the table."""
    return [
        row
        for row in rows_of(connection, table, version) or []
        if (row["dataset_version"], row["split"], row["slice"]) == (version.dataset_version, "test", "all")
    ]


def describe(connection: duckdb.DuckDBPyConnection, version: ModelVersion) -> Row:
    """All that is recorded of a version, as one row; its learning curve and canary are left out."""
    notes = rows_of(connection, "version_notes", version)
    signature = version.signature
    return {
        **{
            name: getattr(version, name)
            for name in (
                *("model", "version", "created_at", "reason", "task", "target", "estimator", "dataset"),
                *("dataset_version", "row_counts", "label_sources", "declaration", "params", "seed"),
            )
        },
        "notes": notes[-1] if notes else None,
        "threshold": signature.threshold,
        "classes": signature.classes,
        "features": [dataclasses.asdict(feature) for feature in signature.features],
        "views": [view.name for view in signature.views],
        "aliases": alias_history(connection, version),
        "metrics": metrics_of(connection, version.model, version.version).to_pylist(),
        "importance": importance_of(connection, version),
        "reproductions": [dataclasses.asdict(done) for done in reproductions_of(version.model, version.version)],
        "libraries": version.libraries,
        "artifact": version.artifact,
        "artifact_sha256": version.artifact_sha256,
        "code_fingerprint": version.code_fingerprint,
        "training_fingerprint": version.training_fingerprint,
    }


def _rows(connection: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[Row]:
    found: list[Row] = connection.sql(query, params=list(values)).to_arrow_table().to_pylist()
    return found


def _has(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    found = connection.execute(
        "select count(*) from duckdb_tables() where database_name = current_database() and schema_name = ? and table_name = ?",
        [schema, table],
    )
    return bool(found.fetchall()[0][0])
