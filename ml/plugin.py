"""The one door from SQL to Python: a dbt-duckdb plugin, named in profiles.yml as `module: ml.plugin`."""

import atexit
import json
import weakref
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from ml import files
from ml.drift import classifier, numbers, probabilities
from ml.field_types import arrow_type, canonical, is_key, is_scalar
from ml.kept import kept
from ml.scoring import label_function
from ml.scoring.predict_function import register


def eiderdown_fingerprint(request: str) -> str:
    """What ml.meaning.fingerprint answers."""
    return kept("ml.meaning.fingerprint", "fingerprint", request)


def eiderdown_changes(old: str, new: str) -> str:
    """What ml.meaning.changes answers. sqlglot is imported when a version has changed, not in every run."""
    from ml.meaning.changes import changes

    return changes(old, new)


def eiderdown_lineage(definition: str) -> str:
    """What ml.meaning.lineage answers."""
    return kept("ml.meaning.lineage", "lineage", definition)


def eiderdown_expression_columns(expression: str) -> str:
    """What ml.expressions.request_views answers."""
    return kept("ml.expressions.request_views", "expression_columns", expression)


def eiderdown_types(types: str) -> str:
    """What ml.field_types says of types. types: JSON {column: SQL type}.

    Returns JSON {column: {type, is_key, is_scalar, problem}}: the type as DuckDB names it; `problem` says why it is not
    carried and what to do, and is alone where there is one.
    """
    return json.dumps({column: _type_facts(name) for column, name in json.loads(types).items()})


def _type_facts(sql_type: str | None) -> dict[str, Any]:
    if sql_type is None:
        return {"problem": "it has no data_type; declare one"}
    try:
        arrow_type(sql_type)
    except TypeError as error:
        return {"problem": str(error)}
    return {"type": canonical(sql_type), "is_key": is_key(sql_type), "is_scalar": is_scalar(sql_type), "problem": None}


def eiderdown_request_features(request: str) -> str:
    """What ml.expressions.request_views answers."""
    return kept("ml.expressions.request_views", "request_features", request)


def eiderdown_model_problems(request: str) -> str:
    """What ml.training.declarations answers."""
    return kept("ml.training.declarations", "problems", request)


def eiderdown_label_problems(request: str) -> str:
    """What ml.labeling.declaration answers."""
    return kept("ml.labeling.declaration", "problems", request)


def eiderdown_alert_rules(request: str) -> str:
    """What ml.alerts.declaration answers."""
    return kept("ml.alerts.declaration", "alert_rules", request)


def eiderdown_retraining_rules(request: str) -> str:
    """What ml.training.retrain answers."""
    return kept("ml.training.retrain", "rules", request)


def eiderdown_schemas(request: str) -> str:
    """What ml.schemas.declaration answers."""
    return kept("ml.schemas.declaration", "schemas", request)


def eiderdown_aside(final: str) -> str:
    """A path to write to before `eiderdown_adopt` puts the file at `final`."""
    return str(files.aside(Path(final)))


def eiderdown_adopt(written: str, final: str) -> str:
    """Put a written file at `final`, durably and at once. Returns its SHA-256."""
    return files.adopt(Path(written), Path(final))


def eiderdown_sha256(path: str) -> str:
    """The SHA-256 of a file, in hex."""
    return files.sha256(Path(path))


def eiderdown_find(path: str) -> str:
    """The absolute path of a file, empty where there is none."""
    return str(Path(path).resolve()) if Path(path).is_file() else ""


def eiderdown_keep_text(path: str, text: str) -> str:
    """Write a text file, whole or not at all, where it differs from what is there."""
    files.write_changed(Path(path), text.encode())
    return path


def eiderdown_note_unregistered(path: str, table: str) -> str:
    """Note that a table is to name a file that is about to be written."""
    files.note_unregistered(Path(path), table)
    return path


def eiderdown_drop_unregistered(folder: str, table: str, registered: list[str]) -> str:
    """Remove the files that were noted for a table and that it does not name."""
    files.drop_unregistered(Path(folder), table, registered)
    return folder


def eiderdown_calibration(scores: list[float], targets: list[float]) -> dict[str, list[Any]]:
    """What ml.performance.calibration answers. scipy is imported when something is calibrated, not in every run."""
    from ml.performance.calibration import calibration

    return calibration(scores, targets)


def register_calibration(conn: DuckDBPyConnection) -> None:
    """Register eiderdown_calibration(scores DOUBLE[], targets DOUBLE[])."""
    numbers: Any = "DOUBLE[]"
    points: Any = "STRUCT(scores DOUBLE[], probabilities DOUBLE[], edges DOUBLE[], row_counts BIGINT[])"
    conn.create_function(eiderdown_calibration.__name__, eiderdown_calibration, [numbers, numbers], points)


def _find_scorer(name: str) -> Any:
    """What ml.scoring.kept_scorers answers. Estimators are imported when something is scored, not in every run."""
    from ml.scoring.kept_scorers import kept_scorer

    return kept_scorer(name)


def _close(conn: "weakref.ref[DuckDBPyConnection]") -> None:
    if (still_open := conn()) is not None:
        still_open.close()


class Plugin(BasePlugin):
    """Prepares the home folder and registers the SQL functions that macros call."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Make the folders that sources read, with an empty file: DuckDB's readers refuse a pattern that finds nothing."""
        for folder in ("raw", "releases"):
            (files.home() / folder).mkdir(parents=True, exist_ok=True)
        for nothing in (
            "events/predictions/none.jsonl",
            "events/feedback/none.jsonl",
            "events/pushes/none.jsonl",
            "events/decisions/none.jsonl",
            "events/acknowledgements/none.jsonl",
            "events/retrain/none.jsonl",
            "events/builds/none.jsonl",
            "events/labels/none.jsonl",
            "events/experiments/none.jsonl",
            "artifacts/training/none.json",
            "artifacts/reproductions/none.json",
        ):
            (files.home() / nothing).parent.mkdir(parents=True, exist_ok=True)
            (files.home() / nothing).touch()

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
            (eiderdown_lineage, 1),
            (eiderdown_expression_columns, 1),
            (eiderdown_types, 1),
            (eiderdown_request_features, 1),
            (eiderdown_model_problems, 1),
            (eiderdown_label_problems, 1),
            (eiderdown_alert_rules, 1),
            (eiderdown_retraining_rules, 1),
            (eiderdown_schemas, 1),
            (eiderdown_aside, 1),
            (eiderdown_adopt, 2),
            (eiderdown_sha256, 1),
            (eiderdown_find, 1),
            (eiderdown_keep_text, 2),
            (eiderdown_note_unregistered, 2),
        )
        for function, count in functions:
            conn.create_function(function.__name__, function, [text] * count, text, side_effects=True)
        drop, texts = eiderdown_drop_unregistered, f"{text}[]"
        conn.create_function(drop.__name__, drop, [text, text, texts], text, side_effects=True)
        register_calibration(conn)
        register(conn, _find_scorer)
        label_function.register(conn)
        probabilities.register(conn)
        numbers.register(conn)
        classifier.register(conn)
