"""What differs between two recorded meanings of a SQL model: upstream, declaration, output columns or rows."""

import json
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from ml.digest import digest


def changes(old: str, new: str) -> str:
    """Answer of the SQL function `eiderdown_changes`: in words, what differs between two meanings.

    old, new: JSON {canonical, upstream, declaration}, as a fingerprint is recorded. An old record may lack `upstream`
    and `declaration`, which were not always kept.
    """
    before, after = json.loads(old), json.loads(new)
    found = [f"upstream {name}" for name in _differing(before.get("upstream"), after["upstream"])]
    declared, declares = before.get("declaration"), after["declaration"]
    found += [f"declared {field}" for field in _differing(declared, declares)]
    found += column_changes(before["canonical"], after["canonical"])
    if not found and before["canonical"] != after["canonical"]:
        found = ["which rows it has (a join, a filter or a grouping), or the order of its columns"]
    return ", ".join(found) or "its declaration or something upstream"


def _differing(old: dict[str, Any] | None, new: dict[str, Any]) -> list[str]:
    """The keys that two mappings do not share with one value; none where there is no old one."""
    if old is None:
        return []
    return sorted(key for key in old | new if old.get(key) != new.get(key))


def column_changes(old: str, new: str) -> list[str]:
    """Which output columns two canonical queries do not share.

    A column has changed where its expression has, in the query itself or in a CTE that it comes from.

    >>> column_changes("SELECT t.a AS a, t.b AS b FROM s.t AS t", "SELECT t.a AS a, t.a AS b, t.c AS c FROM s.t AS t")
    ['column b changed', 'column c added']
    """
    before, after = _definitions(old), _definitions(new)
    return [
        f"column {name} {'added' if name not in before else 'removed' if name not in after else 'changed'}"
        for name in _differing(before, after)
    ]


def _definitions(canonical: str) -> dict[str, str]:
    """Each output column of a query with a hash of all that defines it, down to the tables."""
    scope = build_scope(sqlglot.parse_one(canonical, read="duckdb"))
    known: dict[tuple[int, int], str] = {}
    return {name: _definition(scope, place, known) for place, name in enumerate(_names(scope))} if scope else {}


def _definition(scope: Scope, place: int, known: dict[tuple[int, int], str]) -> str:
    """A hash of a scope's column: its SQL, the windows that it names and the columns of the CTEs that it reads.

    known: the hashes found so far, by scope and place, since many columns read the same.
    """
    key = (id(scope), place)
    if key not in known:
        query = scope.expression
        if scope.set_operation_scopes:
            parts = [_definition(side, place, known) for side in scope.set_operation_scopes]
        elif isinstance(query, exp.Select) and place < len(query.selects):
            parts = _parts(scope, query, place, known)
        else:
            # A star that could not be expanded: what stands at this place is not known.
            parts = [query.sql(dialect="duckdb")]
        known[key] = digest(parts)
    return known[key]


def _parts(scope: Scope, select: exp.Select, place: int, known: dict[tuple[int, int], str]) -> list[str]:
    selected = select.selects[place].unalias()
    windows = {window.name: window for window in select.args.get("windows") or []}
    trees = [selected, *(windows[over.alias] for over in selected.find_all(exp.Window) if over.alias in windows)]
    parts = [tree.sql(dialect="duckdb") for tree in trees]
    for column in (column for tree in trees for column in tree.find_all(exp.Column)):
        source = scope.sources.get(column.table)
        names = _names(source) if isinstance(source, Scope) else []
        if isinstance(source, Scope) and column.name in names:
            parts.append(_definition(source, names.index(column.name), known))
    return parts


def _names(scope: Scope) -> list[str]:
    """The output columns of a scope; none of what is no query, such as UNNEST."""
    query = scope.expression
    return query.named_selects if isinstance(query, exp.Query) else []
