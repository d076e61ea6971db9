"""Decisions in the registry of a release, as the next `dbt run` will have them in the warehouse's."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import duckdb

from ml.promotion.decision import Decision
from ml.release.database import released_table


def fold(session: duckdb.DuckDBPyConnection, decisions: Iterable[Decision]) -> None:
    """Add to the registry in `released` the decisions that it does not hold, in their order, with what follows from them.

    A decision about a version that the registry does not have names nothing, as in SQL (macros/registry/model_aliases.sql).
    """
    folded = {event_id for (event_id,) in released_table(session, "decisions").select("event_id").fetchall()}
    unfolded = [decision for decision in decisions if decision.event_id not in folded]
    if not unfolded:
        return
    for decision in unfolded:
        _add(session, decision)
    for statement in _WHAT_FOLLOWS:
        session.execute(statement)


def add_row(session: duckdb.DuckDBPyConnection, table: str, row: dict[str, Any]) -> None:
    """Insert a row in a table of the registry in `released`: values as JSON has them, JSON columns as text."""
    types = session.execute(f"select column_name, column_type from (describe released.registry.{table})").fetchall()
    texts = {name: "VARCHAR" if sql_type == "JSON" else sql_type for name, sql_type in types}
    session.execute(
        f"insert into released.registry.{table} by name select unnest(from_json(?, ?))",
        [json.dumps({name: row.get(name) for name in texts}, default=str), json.dumps(texts)],
    )


def _add(session: duckdb.DuckDBPyConnection, decision: Decision) -> None:
    records = {"model_record": _text(decision.model_record), "dataset_record": _text(decision.dataset_record)}
    row = dataclasses.asdict(decision) | records | {"decided_at": decision.decided_at.isoformat()}
    add_row(session, "decisions", row)
    if decision.dataset_record:
        add_row(session, "datasets", decision.dataset_record)
    if decision.model_record:
        add_row(session, "model_versions", decision.model_record)
    if decision.alias is None:
        return
    session.execute(_NAME_BY_ALIAS, [decision.event_id])


def _text(row: dict[str, Any] | None) -> str | None:
    return None if row is None else json.dumps(row)


_NAME_BY_ALIAS = """
insert into released.registry.model_aliases by name
select
    model,
    alias,
    version,
    greatest(decided_at, (
        select max(since) + to_microseconds(1)
        from released.registry.model_aliases as named
        where named.model = decision.model and named.alias = decision.alias
    )) as since,
    reason,
    decided_by,
    event_id
from released.registry.decisions as decision
semi join released.registry.model_versions using (model, version)
where event_id = ?
"""

_WHAT_FOLLOWS = (
    """
create or replace table released.registry.current_aliases as
select
    model,
    alias,
    arg_max(version, since) as version,
    max(since) as since,
    arg_max(reason, since) as reason,
    arg_max(decided_by, since) as decided_by
from released.registry.model_aliases
group by model, alias
""",
    """
create or replace table released.registry.version_notes as
select
    model,
    version,
    arg_max(description, decided_at) filter (where description is not null) as description,
    coalesce(arg_max(tags, decided_at) filter (where tags is not null), []) as tags,
    max(decided_at) as since
from released.registry.decisions
semi join released.registry.model_versions using (model, version)
where kind = 'describe'
group by model, version
""",
    """
update released.registry.feature_usage as used
set aliases = coalesce((
    select list(alias order by alias)
    from released.registry.current_aliases as named
    where named.model = used.name and named.version = used.name_version
), [])
where kind = 'model'
""",
)
