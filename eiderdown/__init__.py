"""The public face of the platform."""

import duckdb

from ml.errors import ReleaseError
from ml.release.manifest import current_release, read_manifest, releases_folder


def connect(release: str | None = None) -> duckdb.DuckDBPyConnection:
    """A read-only connection to a release, the current one if none is named: exactly what is served, for SQL.

    It works while dbt holds the warehouse. Raises ReleaseError where there is no such release.
    """
    folder = releases_folder() / (release or current_release(releases_folder()))
    if not folder.is_dir():
        raise ReleaseError(
            f"there is no release {release} in {folder.parent}; `eiderdown releases` lists what is there."
        )
    connection = duckdb.connect(str(folder / read_manifest(folder).database), read_only=True)
    # A name that is no table of the release must not be looked for among the variables of the caller.
    connection.execute("set python_enable_replacements = false")
    connection.execute("set TimeZone = 'UTC'")
    return connection
