"""The one door from SQL to Python: a dbt-duckdb plugin, named in profiles.yml as `module: ml.plugin`."""

import atexit
import weakref
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from ml import files
from ml.kept import kept


def eiderdown_fingerprint(request: str) -> str:
    """What ml.fingerprint answers."""
    return kept("ml.fingerprint", "fingerprint", request)


def eiderdown_changes(old: str, new: str) -> str:
    """What ml.meaning answers. sqlglot is imported when a version is refused, not in every run."""
    from ml.meaning import changes

    return changes(old, new)


def eiderdown_request_features(request: str) -> str:
    """What ml.expressions.request_views answers."""
    return kept("ml.expressions.request_views", "request_features", request)


def eiderdown_aside(final: str) -> str:
    """A path to write to before `eiderdown_adopt` puts the file at `final`."""
    return str(files.aside(Path(final)))


def eiderdown_adopt(written: str, final: str) -> str:
    """Put a written file at `final`, durably and at once. Returns its SHA-256."""
    return files.adopt(Path(written), Path(final))


def eiderdown_sha256(path: str) -> str:
    """The SHA-256 of a file, in hex."""
    return files.sha256(Path(path))


def eiderdown_note_unregistered(path: str, table: str) -> str:
    """Note that a table is to name a file that is about to be written."""
    files.note_unregistered(Path(path), table)
    return path


def eiderdown_drop_unregistered(folder: str, table: str, registered: list[str]) -> str:
    """Remove the files that were noted for a table and that it does not name."""
    files.drop_unregistered(Path(folder), table, registered)
    return folder


def _close(conn: "weakref.ref[DuckDBPyConnection]") -> None:
    if (still_open := conn()) is not None:
        still_open.close()


class Plugin(BasePlugin):
    """Prepares the home folder and registers the SQL functions that macros call."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Make the folders that sources read, with an empty file: DuckDB's readers refuse a pattern that finds nothing."""
        for folder in ("raw", "releases", "artifacts", "events/predictions"):
            (files.home() / folder).mkdir(parents=True, exist_ok=True)
        (files.home() / "events/predictions/none.jsonl").touch()

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Register the functions; those that touch files are marked, so that DuckDB calls them once and when asked."""
        # The connection holds the warehouse's lock, so nobody else is writing artifacts.
        files.sweep(files.home() / "artifacts")
        # For tools that never close it (sqlfluff): an open connection with functions ends in a page of leak warnings.
        atexit.register(_close, weakref.ref(conn))
        text: Any = "VARCHAR"
        functions = (
            (eiderdown_fingerprint, 1),
            (eiderdown_changes, 2),
            (eiderdown_request_features, 1),
            (eiderdown_aside, 1),
            (eiderdown_adopt, 2),
            (eiderdown_sha256, 1),
            (eiderdown_note_unregistered, 2),
        )
        for function, count in functions:
            conn.create_function(function.__name__, function, [text] * count, text, side_effects=True)
        drop, texts = eiderdown_drop_unregistered, f"{text}[]"
        conn.create_function(drop.__name__, drop, [text, text, texts], text, side_effects=True)
