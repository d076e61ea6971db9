"""Fingerprints of what SQL means: equal for rewrites that change nothing, different for what changes a result."""

import contextlib
import json
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer import optimize

from ml.digest import digest


def canonical_sql(sql: str, schema: dict[str, Any]) -> str:
    """SQL in canonical form (DuckDB's dialect): comments, layout, aliases and the order of CTEs are gone.

    schema: {schema: {table: {column: type}}} of the relations that the query reads, to expand `*`.
    Raises ValueError where sqlglot cannot parse the text. Where its optimizer cannot follow a query, the canonical form
    is the parsed one: more rewrites then count as changes, never fewer.

    >>> canonical_sql("select A as b -- why\\n from s.t", {"s": {"t": {"a": "int"}}})
    'SELECT "_0"."a" AS "b" FROM "s"."t" AS "_0"'
    """
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except SqlglotError as error:
        raise ValueError(f"sqlglot cannot parse the SQL: {error}") from error
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
    with contextlib.suppress(SqlglotError):
        tree = optimize(tree, schema=schema, dialect="duckdb", canonicalize_table_aliases=True)
    for select in tree.find_all(exp.Select):
        _list_groups(select)
    return tree.sql(dialect="duckdb", comments=False)


def _list_groups(select: exp.Select) -> None:
    """Write out GROUP BY ALL, and give the groups one order: theirs means nothing."""
    group = select.args.get("group")
    if group is None:
        return
    if group.args.get("all"):
        keys = [key.unalias() for key in select.selects if not key.find(exp.AggFunc)]
        group.set("expressions", [key.copy() for key in keys])
        group.set("all", None)
    group.set("expressions", sorted(group.expressions, key=lambda key: key.sql(dialect="duckdb")))


def fingerprint(request: str) -> str:
    """Answer of the SQL function `eiderdown_fingerprint`: JSON {fingerprint, canonical}.

    request: JSON {sql, schema, upstream, declaration}; `upstream` maps the relations that the query reads to their
    fingerprints, which makes this a Merkle tree.
    """
    asked = json.loads(request)
    canonical = canonical_sql(asked["sql"], asked["schema"])
    return json.dumps(
        {
            "fingerprint": digest([canonical, asked["upstream"], asked["declaration"]]),
            "canonical": canonical,
        }
    )
