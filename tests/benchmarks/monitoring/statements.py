"""The platform's macros of statistics and drift, rendered for the benchmark's table."""

from typing import Any

from tests.benchmarks.monitoring import table
from tests.rendered import package


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_MACROS: Any = package("statistics/*", "drift/*", literal=_literal)


def profile_of(relation: str, **arguments: Any) -> str:
    """The select that profiles all columns of a relation. arguments: of the macro statistics()."""
    return str(_MACROS.statistics(relation, table.TYPES, **arguments))


def drift_of(reference: str, current: str) -> str:
    """The select that compares all columns of two relations."""
    return str(_MACROS.drift(reference, current, table.TYPES))
