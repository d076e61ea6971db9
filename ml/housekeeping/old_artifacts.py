"""Which versions of models something names, and which files no table names."""

from pathlib import Path

import duckdb

from ml import files
from ml.housekeeping.old_releases import Releases
from ml.quoting import quote
from ml.registry.history import history
from ml.release.models import LATEST_VERSIONS

_NEWEST = "arg_max(version, since) over (partition by model, alias)"


def artifacts_of_versions(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, int], set[str]]:
    """The files that each recorded version of a model names, under the home folder.

    Of every table that records versions: a run that was killed may have trained one that the registry does not have yet.
    """
    versions: dict[tuple[str, int], set[str]] = {}
    for table, columns in _tables_with_artifacts(connection):
        if {"model", "version"} <= columns:
            baseline = "json_extract_string(baseline, '$.artifact')" if "baseline" in columns else "null"
            rows = connection.execute(f"select model, version, artifact, {baseline} from {table}").fetchall()
            for model, version, *artifacts in rows:
                versions.setdefault((model, version), set()).update(filter(None, artifacts))
    return versions


def named_versions(
    connection: duckdb.DuckDBPyConnection, versions: set[tuple[str, int]], releases: Releases
) -> set[tuple[str, int]]:
    """The versions that an alias or a release that stays names, and each model's latest, which the next release will hold."""
    named = set(history(connection, "registry.current_aliases", "model, version"))
    # A run that was killed may have moved an alias that registry.current_aliases does not show yet.
    named |= set(history(connection, "registry.model_aliases", f"distinct model, {_NEWEST}"))
    named |= {(model.model, model.version) for manifest in releases.kept for model in manifest.models}
    # A release that cannot be read, such as one of an earlier version of the platform, is left, and so is what it holds.
    for release, models in history(connection, "registry.releases", "release, models"):
        if release in releases.unreadable:
            named |= {(model, version) for model, numbers in models.items() for version in numbers}
    for model in {model for model, _ in versions}:
        numbers = sorted(version for name, version in versions if name == model)
        named |= {(model, version) for version in numbers[-LATEST_VERSIONS:]}
    return named


def orphans(connection: duckdb.DuckDBPyConnection, home: Path) -> list[str]:
    """Files under the home folder that a run noted for a table of this warehouse, and that none of its tables names."""
    database = f"{quote(connection.execute('select current_database()').fetchall()[0][0])}."
    notes = files.unregistered(home / "artifacts")
    noted = {path.relative_to(home).as_posix() for owner, path in notes if owner.startswith(database)}
    named = {path for paths in artifacts_of_versions(connection).values() for path in paths}
    for table, _ in _tables_with_artifacts(connection):
        named |= {path for (path,) in connection.execute(f"select artifact from {table}").fetchall()}
    # The present state of a dataset is named by its table's comment, before the registry records it.
    named |= {
        path
        for (path,) in connection.execute(
            "select json_extract_string(comment, '$.artifact') from duckdb_tables() "
            "where database_name = current_database() and json_valid(comment)"
        ).fetchall()
    }
    return sorted(noted - named)


def _tables_with_artifacts(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, set[str]]]:
    """The warehouse's tables that name files, and their columns."""
    rows = connection.execute(
        "select schema_name, table_name, list(column_name) as columns from duckdb_columns() "
        "where database_name = current_database() and not internal group by all "
        "having list_has_all(columns, ['artifact', 'artifact_sha256']) order by all"
    ).fetchall()
    return [(f"{quote(schema)}.{quote(table)}", set(columns)) for schema, table, columns in rows]
