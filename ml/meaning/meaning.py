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
_READ_APART = ("expressions", "from_", "from", "joins", "with_", "with", "group", "order", "distinct")


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
    """The meaning of a statement in normal form (ml.meaning.canonical)."""
    scope = build_scope(tree)
    if scope is None:
        return Meaning(digest(_sql(tree)), {}, {})
    return _Reader().read(scope)


class _Reader:
    """Reads scopes, each once."""

    def __init__(self) -> None:
        self._known: dict[int, Meaning] = {}
        # The digests of columns by place: in a set operation names may come twice.
        self._places: dict[int, tuple[list[str], list[str]]] = {}

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
        by_name = query.args.get("by_name")

        def matched(part: int) -> list[tuple[str, str]]:
            if by_name:
                named = [(side.columns, side.expressions)[part] for side in sides]
                return [
                    (name, digest([side.get(name) for side in named]))
                    for name in dict.fromkeys(n for side in named for n in side)
                ]
            places = [self._digests(side)[part] for side in scope.set_operation_scopes]
            return [
                (name, digest([side[place : place + 1] for side in places]))
                for place, name in enumerate(query.named_selects)
            ]

        columns, expressions = matched(0), matched(1)
        self._places[id(query)] = ([one for _, one in columns], [one for _, one in expressions])
        rows: list[Any] = [type(query).__name__, bool(query.args.get("distinct")), [side.rows for side in sides]]
        rows += [_sql(query.args[part]) for part in ("order", "limit", "offset", "by_name") if query.args.get(part)]
        if query.args.get("distinct") or not isinstance(query, exp.Union):
            rows.append([one for _, one in columns])
        return Meaning(digest(rows), dict(columns), dict(expressions))

    def _digests(self, scope: Scope) -> tuple[list[str], list[str]]:
        self.read(scope)
        return self._places.get(id(scope.expression), ([], []))

    def _select(self, scope: Scope) -> Meaning:
        query: Any = scope.expression
        if not isinstance(query, exp.Select):
            return Meaning(digest(_sql(query)), {}, {})
        text, bare = self._writer(scope, with_rows=True), self._writer(scope, with_rows=False)
        own = [text(column.unalias()) for column in query.selects]
        parts: dict[str, Any] = {
            "sources": [self._source(node, source) for _, node, source in _sources(scope)],
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
        # The order of a whole table means nothing; that of what another query reads may, to list() or row_number().
        if query.args.get("order") and (scope.parent is not None or "limit" in parts or distinct is not None):
            parts["order"] = text(query.args["order"])
        makers = [sql for sql, column in zip(own, query.selects, strict=True) if column.find(*_ROW_MAKERS)]
        if makers:
            parts["unnested"] = makers
        is_aggregate = group is not None or any(column.find(exp.AggFunc) for column in query.selects)
        rows = str(parts["sources"][0]) if self._only_projects(parts, is_aggregate, query) else digest(parts)
        columns = [
            # What an aggregate or a window gives depends on the rows as well.
            digest([sql, rows if is_aggregate or column.find(exp.Window) else None])
            for column, sql in zip(query.selects, own, strict=True)
        ]
        expressions = [digest(bare(column.unalias())) for column in query.selects]
        self._places[id(query)] = (columns, expressions)
        names = [column.alias_or_name for column in query.selects]
        return Meaning(rows, dict(zip(names, columns, strict=True)), dict(zip(names, expressions, strict=True)))

    def _only_projects(self, parts: dict[str, Any], is_aggregate: bool, query: exp.Select) -> bool:
        """Whether a query has exactly the rows of its one source."""
        clauses = parts.keys() - {"sources", "joins"}
        is_one = len(parts["sources"]) == 1 and not parts["joins"] and isinstance(parts["sources"][0], str)
        return is_one and not clauses and not is_aggregate and not any(one.find(exp.Window) for one in query.selects)

    def _join(self, join: exp.Join, text: Callable[[Any], str]) -> list[Any]:
        kind = [str(join.args.get(part) or "").upper() for part in ("method", "side", "kind")]
        # INNER and OUTER say nothing that the side does not.
        kind = [word for word in kind if word not in ("", "INNER", "OUTER")]
        return [
            kind,
            text(join.args["on"]) if join.args.get("on") else None,
            [_sql(key) for key in join.args.get("using") or []],
        ]

    def _source(self, node: Any, source: Any) -> Any:
        """What FROM or JOIN reads: the digest of a query, or the text of a table or a table function."""
        names = node.alias_column_names if isinstance(node, exp.Table | exp.Subquery) else []
        if isinstance(source, Scope):
            read = self.read(source)
            modifiers = [_sql(one) for part in ("pivots", "sample") for one in _listed(node.args.get(part))]
            if node.args.get("pivots") or names:
                modifiers += [*names, *self._digests(source)[0]]
            return digest([read.rows, modifiers]) if modifiers else read.rows
        table = node.copy()
        table.set("alias", None)
        return digest([_sql(table), names])

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
            for place, (name, node, source) in enumerate(_sources(scope)):
                if name == column.table:
                    where, made = self._origin(column.name, node, source, with_rows)
                    return f"{depth}.{place}.{where}.{made}"
            scope, depth = scope.parent, depth + 1
        return _sql(column)

    def _origin(self, name: str, node: Any, source: Any, with_rows: bool) -> tuple[str, str]:
        """The rows that a column is read from, and what it is there. Through queries that only hand it on."""
        if not isinstance(source, Scope):
            return (str(self._source(node, source)) if with_rows else "", name)
        read = self.read(source)
        query: Any = source.expression
        inner = _sources(source) if isinstance(query, exp.Select) else []
        if len(inner) == 1 and read.rows == self._source(inner[0][1], inner[0][2]):
            for selected in query.selects:
                plain = selected.unalias()
                if selected.alias_or_name == name and isinstance(plain, exp.Column) and plain.table == inner[0][0]:
                    return self._origin(plain.name, inner[0][1], inner[0][2], with_rows)
        made = read.columns if with_rows else read.expressions
        return (read.rows if with_rows else "", made.get(name, name))


# What makes rows in a list of columns.
_ROW_MAKERS = (exp.Unnest, exp.Explode, exp.ExplodeOuter, exp.Posexplode, exp.Inline)


def _sources(scope: Scope) -> list[tuple[str, Any, Any]]:
    """Name, node and source of what FROM and JOIN read, in order; semi and anti joins too."""
    query: Any = scope.expression
    start = query.args.get("from_") or query.args.get("from")
    nodes = [start.this] if start is not None else []
    nodes += [join.this for join in query.args.get("joins") or []]
    return [(node.alias_or_name, node, scope.sources.get(node.alias_or_name)) for node in nodes]


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
    """Give operands whose order means nothing one order, bottom up: AND, OR, =, <>, *, IN; `a > b` is `b < a`."""
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
    if isinstance(tree, exp.EQ | exp.NEQ | exp.Mul | exp.NullSafeEQ | exp.NullSafeNEQ):
        left, right = sorted((tree.this, tree.expression), key=_sql)
        return type(tree)(this=left, expression=right)
    if isinstance(tree, exp.In) and tree.expressions:
        tree.set("expressions", sorted(tree.expressions, key=_sql))
    return tree


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _sql(tree: Any) -> str:
    return str(tree.sql(dialect="duckdb", comments=False)) if isinstance(tree, exp.Expr) else str(tree)
