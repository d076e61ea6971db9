"""What a SQL model means, as digests: of the rows that it has, and of each of its columns.

The digests of a query are made of those of the queries that it reads (a Merkle tree over scopes), with every name but
that of a leaf and its columns left out. So a renamed CTE, alias or inner column, another order of CTEs, columns, operands
of `and` or keys of a group, is the same meaning. (SQLMesh categorises changes by a diff of syntax trees; digests need no
diff and go through upstream models.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from ml.digest import digest

# What a SELECT may hold and that is read in a way of its own, or says nothing about a table: ORDER BY without LIMIT.
_READ_APART = ("expressions", "from_", "from", "joins", "with_", "with", "group", "order", "distinct", "windows")


@dataclass(frozen=True)
class Meaning:
    """Digests of a query.

    rows: of its sources, joins, filters and groups. columns: of each column by name, with the rows of the queries that it
    reads. expressions: the same without any rows, which tells a changed expression from a changed filter below it.
    """

    rows: str
    columns: dict[str, str]
    expressions: dict[str, str]


def meaning_of(tree: exp.Expr) -> Meaning:
    """The meaning of a statement in normal form (ml.canonical)."""
    scope = build_scope(tree)
    if scope is None:
        return Meaning(digest(_sql(tree)), {}, {})
    return _Reader().read(scope)


class _Reader:
    """Reads scopes, each once."""

    def __init__(self) -> None:
        self._known: dict[int, Meaning] = {}

    def read(self, scope: Scope) -> Meaning:
        key = id(scope.expression)
        if key not in self._known:
            # What a recursive query says of itself while it is read.
            self._known[key] = Meaning("itself", {}, {})
            self._known[key] = self._union(scope) if scope.set_operation_scopes else self._select(scope)
        return self._known[key]

    def _union(self, scope: Scope) -> Meaning:
        query: Any = scope.expression
        sides = [self.read(side) for side in scope.set_operation_scopes]

        def by_name(digests: list[list[str]]) -> dict[str, str]:
            return {
                name: digest([side[place : place + 1] for side in digests])
                for place, name in enumerate(query.named_selects)
            }

        columns = by_name([list(side.columns.values()) for side in sides])
        rows: list[Any] = [type(query).__name__, bool(query.args.get("distinct")), [side.rows for side in sides]]
        rows += [_sql(query.args[part]) for part in ("order", "limit", "offset", "by_name") if query.args.get(part)]
        if query.args.get("distinct") or not isinstance(query, exp.Union):
            rows.append(list(columns.values()))
        return Meaning(digest(rows), columns, by_name([list(side.expressions.values()) for side in sides]))

    def _select(self, scope: Scope) -> Meaning:
        query: Any = scope.expression
        if not isinstance(query, exp.Select):
            return Meaning(digest(_sql(query)), {}, {})
        text, bare = self._writer(scope, with_rows=True), self._writer(scope, with_rows=False)
        own = [text(column.unalias()) for column in query.selects]
        parts: dict[str, Any] = {
            "sources": [self._source(node, source) for node, source in scope.selected_sources.values()],
            "joins": [self._join(join, text) for join in query.args.get("joins") or []],
        }
        for name, value in query.args.items():
            if value and name not in _READ_APART:
                parts[name] = [text(one) if isinstance(one, exp.Expr) else str(one) for one in _listed(value)]
        group, distinct = query.args.get("group"), query.args.get("distinct")
        if group is not None:
            parts["group"] = {
                name: sorted(text(key) for key in _listed(keys)) for name, keys in group.args.items() if keys
            }
        if distinct is not None:
            parts["distinct"] = [text(distinct), sorted(own)]
        if query.args.get("order") and (query.args.get("limit") or (distinct is not None and distinct.args.get("on"))):
            parts["order"] = text(query.args["order"])
        rows = digest(parts)
        is_aggregate = group is not None or any(column.find(exp.AggFunc) for column in query.selects)
        return Meaning(
            rows,
            {
                # What an aggregate or a window gives depends on the rows as well.
                column.alias_or_name: digest([sql, rows if is_aggregate or column.find(exp.Window) else None])
                for column, sql in zip(query.selects, own, strict=True)
            },
            {column.alias_or_name: digest(bare(column.unalias())) for column in query.selects},
        )

    def _join(self, join: exp.Join, text: Callable[[Any], str]) -> list[Any]:
        kind = [str(join.args.get(part) or "") for part in ("method", "side", "kind")]
        return [
            kind,
            text(join.args["on"]) if join.args.get("on") else None,
            [_sql(key) for key in join.args.get("using") or []],
        ]

    def _source(self, node: Any, source: Any) -> Any:
        """What FROM or JOIN reads: the digest of a query, or the text of a table or a table function."""
        if isinstance(source, Scope):
            modifiers = [_sql(one) for part in ("pivots", "sample") for one in _listed(node.args.get(part))]
            return [self.read(source).rows, modifiers]
        table = node.copy()
        table.set("alias", None)
        return _sql(table)

    def _writer(self, scope: Scope, with_rows: bool) -> Callable[[Any], str]:
        """A function that writes an expression of the scope with each column as what it is, not as it is named."""
        inner = {id(sub.expression): sub for sub in scope.subquery_scopes}

        def replaced(node: Any) -> Any:
            if isinstance(node, exp.Column):
                return exp.Var(this=self._column(node, scope, with_rows))
            if id(node) in inner:
                read = self.read(inner[id(node)])
                parts = [read.rows, *read.columns.values()] if with_rows else list(read.expressions.values())
                return exp.Var(this=digest(parts))
            return None

        return lambda node: _sql(_ordered(_rebuilt(node, replaced)))

    def _column(self, column: exp.Column, scope: Scope | None, with_rows: bool) -> str:
        """Where a column comes from: the place of its source among those of its query, or of a query around it."""
        depth = 0
        while scope is not None:
            for place, (name, (_, source)) in enumerate(scope.selected_sources.items()):
                if name == column.table:
                    if isinstance(source, Scope):
                        read = self.read(source)
                        made = read.columns if with_rows else read.expressions
                        return f"{depth}.{place}.{read.rows * with_rows}.{made.get(column.name, column.name)}"
                    return f"{depth}.{place}.{column.name}"
            scope, depth = scope.parent, depth + 1
        return _sql(column)


def _rebuilt(node: Any, replaced: Callable[[Any], Any]) -> Any:
    """A copy of a tree with some nodes replaced; they are known by identity, which a copy made first would lose."""
    if not isinstance(node, exp.Expr):
        return node
    new = replaced(node)
    if new is not None:
        return new
    parts = {
        name: [_rebuilt(one, replaced) for one in value] if isinstance(value, list) else _rebuilt(value, replaced)
        for name, value in node.args.items()
    }
    return type(node)(**parts)


_MIRRORED: dict[type, type] = {exp.GT: exp.LT, exp.GTE: exp.LTE}


def _ordered(tree: Any) -> Any:
    """Give operands whose order means nothing one order, bottom up: AND, OR, =, <>, +, *, IN; `a > b` is `b < a`."""
    if not isinstance(tree, exp.Expr):
        return tree
    for name, value in list(tree.args.items()):
        tree.set(name, [_ordered(one) for one in value] if isinstance(value, list) else _ordered(value))
    if isinstance(tree, exp.Connector):
        operands = sorted((_ordered(one) for one in tree.flatten()), key=_sql)
        combine = exp.and_ if isinstance(tree, exp.And) else exp.or_
        return combine(*operands, copy=False) if len(operands) > 1 else operands[0]
    if type(tree) in _MIRRORED:
        return _MIRRORED[type(tree)](this=tree.expression, expression=tree.this)
    if isinstance(tree, exp.EQ | exp.NEQ | exp.Add | exp.Mul | exp.NullSafeEQ | exp.NullSafeNEQ):
        left, right = sorted((tree.this, tree.expression), key=_sql)
        return type(tree)(this=left, expression=right)
    if isinstance(tree, exp.In) and tree.expressions:
        tree.set("expressions", sorted(tree.expressions, key=_sql))
    return tree


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _sql(tree: Any) -> str:
    return str(tree.sql(dialect="duckdb", comments=False)) if isinstance(tree, exp.Expr) else str(tree)
