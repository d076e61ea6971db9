"""The platform's macros of statistics and drift, rendered for the benchmark's table."""

import hashlib
import json
import types
from typing import Any

import jinja2

from ml.quoting import literal
from tests.benchmarks.monitoring import table
from tests.conftest import REPOSITORY
from tests.rendered import package

_STATISTICS: Any = package("statistics/*", "monitoring/monitored", literal=literal)
_DRIFT: Any = package("features/view_statistics", "drift/*", literal=literal)
_BY_DAY = {"relation": "partitioned", "at": "at", "every": "day", "slices": [], "columns": table.TYPES}
"""What monitored() would say of a table of one column `at` beside those of table.py."""


def profile_of(relation: str) -> str:
    """The select that profiles all columns of a relation."""
    return str(_STATISTICS.statistics(relation, table.TYPES))


def drift_of(reference: str, current: str) -> str:
    """The select that compares all columns of two relations."""
    return str(_DRIFT.drift_between(reference, current, table.TYPES))


def _windows() -> Any:
    """The macros of monitoring.feature_statistics; the relation is an ordinary table, not one that is only appended to."""
    _STATISTICS.node_of = lambda _relation: types.SimpleNamespace(config=types.SimpleNamespace(materialized="table"))
    names = {
        "eiderdown": _STATISTICS,
        "tojson": json.dumps,
        "local_md5": lambda text: hashlib.md5(text.encode()).hexdigest(),
    }
    text = (REPOSITORY / "macros" / "monitoring" / "feature_statistics.sql").read_text()
    return jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(text, globals=names).module


def contents_of_days(as_of: str) -> str:
    """The select that says which days of the table `partitioned` have changed, window_contents()."""
    clock = f"(select timestamptz '{as_of}' as as_of)"
    return str(_windows().window_contents("partitioned", _BY_DAY, clock, False))


def profile_of_days(days: list[str]) -> str:
    """The select that profiles some days of the table `partitioned`, as monitoring.feature_statistics does."""
    return str(_windows().window_statistics("partitioned", _BY_DAY, dict.fromkeys(days, "content")))
