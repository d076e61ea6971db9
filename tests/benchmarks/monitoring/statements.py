"""The platform's macros of statistics and drift, rendered for the benchmark's table."""

from typing import Any

from tests.rendered import package

from tests.benchmarks.monitoring import table


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_STATISTICS: Any = package("statistics/*", literal=_literal)
_DRIFT: Any = package("features/feature_statistics", "drift/*", literal=_literal)


def profile_of(relation: str, **arguments: Any) -> str:
    """The select that profiles all columns of a relation. arguments: of the macro statistics()."""
    return str(_STATISTICS.statistics(relation, table.TYPES, **arguments))


def drift_of(reference: str, current: str) -> str:
    """The select that compares all columns of two relations."""
    return str(_DRIFT.drift(reference, current, table.TYPES, []))
