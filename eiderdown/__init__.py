"""The public face of the platform."""

import duckdb

from ml.release.manifest import current_release, read_manifest, releases_folder


def connect(release: str | None = None) -> duckdb.DuckDBPyConnection:
    """A read-only connection to a release, the current one if none is named: exactly what is served, for SQL.

    It works while dbt holds the warehouse. Raises ReleaseError where there is no such release.
    """
    folder = releases_folder() / (release or current_release(releases_folder()))
    connection = duckdb.connect(str(folder / read_manifest(folder).database), read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    return connection
