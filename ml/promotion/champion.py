"""The champion of a model while dbt runs, when the registry may not have every decision yet."""

import duckdb

from ml.promotion.decision import read_decisions
from ml.registry.history import history

CHAMPION = "champion"


def present_champion(session: duckdb.DuckDBPyConnection, model: str) -> int | None:
    """The version that is champion by registry.model_aliases and the decisions that it does not hold; None where none is."""
    rows = history(session, "registry.model_aliases", "since, version, event_id, model, alias")
    named = {since: (version, event_id) for since, version, event_id, *of in rows if of == [model, CHAMPION]}
    folded = {event_id for _, event_id in named.values()}
    versions = [named[since][0] for since in sorted(named)]
    versions += [
        decision.version
        for decision in read_decisions()
        if (decision.model, decision.alias) == (model, CHAMPION) and decision.event_id not in folded
    ]
    return versions[-1] if versions else None
