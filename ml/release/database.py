"""release.duckdb: what a release holds, for SQL, under the warehouse's names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from ml.digest import digest
from ml.quoting import literal
from ml.release.manifest import ReleasedView
from ml.release.views import catalog_digest

NAME = "release.duckdb"


def attach(session: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Attach a release's database as `released`, made where it is not there."""
    session.execute(f"attach {literal(path.as_posix())} as released")


def detach(session: duckdb.DuckDBPyConnection) -> None:
    """Write what there is of `released` to its file, and detach it."""
    session.execute("detach released")


@contextmanager
def attached(session: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    """`attach`, and `detach` at the end."""
    attach(session, path)
    try:
        yield
    finally:
        detach(session)


def copy_registry(session: duckdb.DuckDBPyConnection) -> None:
    """Copy the registry of the session's warehouse to `released`, but for the list of releases, and the trials of searches."""
    tables = session.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = current_database() and "
        "((schema_name = 'registry' and table_name <> 'releases') or (schema_name = 'training' and table_name like '%#_trials' "
        "escape '#')) order by all"
    ).fetchall()
    for schema in sorted({"registry", *(schema for schema, _ in tables)}):
        session.execute(f"create schema released.{schema}")
    for schema, table in tables:
        session.execute(f'create table released.{schema}."{table}" as select * from {schema}."{table}"')


def copy_views(session: duckdb.DuckDBPyConnection, views: list[ReleasedView], folder: Path) -> None:
    """Copy the rows of a release's feature files, under a folder, to `released`."""
    session.execute("create schema released.features")
    for view in views:
        rows = pa.ipc.open_file(folder / view.file).read_all().drop_columns(["_key_hash"])
        session.register("_released_rows", rows)
        session.execute(f"create table released.features.{view.name} as select * from _released_rows")
        session.unregister("_released_rows")


def released_table(session: duckdb.DuckDBPyConnection, table: str) -> duckdb.DuckDBPyRelation:
    """A table of the registry in `released`."""
    return session.sql(f"from released.registry.{table}")


def registry_digest(session: duckdb.DuckDBPyConnection) -> str:
    """A digest of what people read in the registry of `released` of views, aliases and versions; times stay out of it."""
    aliases = released_table(session, "model_aliases").order("model, alias, since")
    notes = released_table(session, "version_notes").order("model, version")
    return digest(
        [
            catalog_digest(released_table(session, "feature_views")),
            aliases.select("model, alias, version, reason, decided_by").fetchall(),
            notes.select("model, version, description, tags").fetchall(),
        ]
    )
