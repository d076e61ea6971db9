"""Column lineage: of each column of a SQL model, the columns that it comes from, hop by hop down to the sources."""

import json
from collections import deque
from collections.abc import Iterator
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from ml.meaning.definition import Definition, parse, relation_name, schema_of

Column = tuple[str, str]
"""A relation and the name of its column."""


def lineage(definition: str) -> str:
    """Answer of the SQL function `eiderdown_lineage`: a JSON list.

    definition: JSON (ml.meaning.definition). One entry {column, source_relation, source_column, usage, depth, is_source} for each
    column that an output column comes from: of the relations that the SQL reads (`depth` 1), of those that these read, and
    so on; `is_source` where nothing is known beyond. `usage` is 'value' where the value is made of it, 'condition' where it
    only decides which rows or which values count (joins, filters, groups, a window's partition and order, the conditions of
    CASE), and 'unknown', with `*` for columns, where sqlglot cannot follow the SQL.
    """
    model = json.loads(definition)
    known: dict[int, dict[str, dict[Column, str]]] = {}
    lines = []
    for column, direct in _columns(model, known).items():
        reached: dict[Column, tuple[str, int, bool]] = {}
        waiting = deque((model, source, usage, 1) for source, usage in direct.items())
        while waiting:
            reader, source, usage, depth = waiting.popleft()
            read = reader["reads"].get(source[0], {})
            if source in reached and (reached[source][0] == usage or usage != "value"):
                continue
            reached[source] = (usage, depth, "sql" not in read)
            if "sql" in read:
                for deeper, its_usage in _columns(read, known).get(source[1], {}).items():
                    waiting.append((read, deeper, its_usage if usage == "value" else usage, depth + 1))
        lines += [
            {
                "column": column,
                "source_relation": source[0],
                "source_column": source[1],
                "usage": usage,
                "depth": depth,
                "is_source": is_source,
            }
            for source, (usage, depth, is_source) in sorted(reached.items())
        ]
    return json.dumps(lines)


def output_columns(definition: Definition) -> list[str]:
    """The names of a definition's columns; none where sqlglot cannot tell."""
    try:
        return [name for name in _qualified(definition).named_selects if name != "*"]
    except SqlglotError:
        return []


def _qualified(definition: Definition) -> Any:
    columns = {
        # Names are all that counts here.
        name: read["columns"] if "sql" not in read else dict.fromkeys(output_columns(read), "varchar")
        for name, read in definition["reads"].items()
    }
    return qualify(parse(definition["sql"]), schema=schema_of(columns), dialect="duckdb")


def _columns(definition: Definition, known: dict[int, dict[str, dict[Column, str]]]) -> dict[str, dict[Column, str]]:
    """For each output column the columns of the relations read, with their usage. known: what was found before."""
    key = id(definition)
    if key not in known:
        try:
            scope = build_scope(_qualified(definition))
        except SqlglotError:
            scope = None
        if scope is None:
            known[key] = {"*": {(relation, "*"): "unknown" for relation in definition["reads"]}}
        else:
            reader = _Reader(scope)
            known[key] = {name: reader.column(scope, place) for place, name in enumerate(_names(scope))}
    return known[key]


class _Reader:
    """Follows columns through the scopes of one statement."""

    def __init__(self, root: Scope) -> None:
        self._known: dict[tuple[int, int], dict[Column, str]] = {}
        self._owners = {id(column): scope for scope in root.traverse() for column in scope.columns}

    def column(self, scope: Scope, place: int) -> dict[Column, str]:
        """What the column at a place of a scope comes from."""
        key = (id(scope), place)
        if key not in self._known:
            self._known[key] = {}
            found: dict[Column, str] = {}
            if scope.set_operation_scopes:
                for side in scope.set_operation_scopes:
                    _merge(found, self.column(side, place))
            elif isinstance(scope.expression, exp.Select):
                selected = scope.expression.selects
                if place < len(selected):
                    _merge(found, self._expression(selected[place], scope))
                    for window in _windows(scope.expression, selected[place]):
                        _merge(found, dict.fromkeys(self._expression(window, scope), "condition"))
                _merge(found, dict.fromkeys(self._conditions(scope), "condition"))
            self._known[key] = found
        return self._known[key]

    def _expression(self, tree: exp.Expr, scope: Scope) -> dict[Column, str]:
        found: dict[Column, str] = {}
        for column in tree.find_all(exp.Column):
            sources = self._source(column, self._owners.get(id(column), scope))
            _merge(found, dict.fromkeys(sources, "condition") if _only_decides(column, tree) else sources)
        return found

    def _source(self, column: exp.Column, scope: Scope | None) -> dict[Column, str]:
        while scope is not None and column.table not in scope.selected_sources:
            scope = scope.parent
        if scope is None:
            return {}
        _, source = scope.selected_sources[column.table]
        if isinstance(source, Scope):
            names = _names(source)
            return self.column(source, names.index(column.name)) if column.name in names else {}
        return {(relation_name(source), column.name): "value"} if source.db else {}

    def _conditions(self, scope: Scope) -> set[Column]:
        """The columns that decide which rows a scope has, those of the scopes that it reads included."""
        select: Any = scope.expression
        found: set[Column] = set()
        if isinstance(select, exp.Select):
            for name, part in select.args.items():
                if name in ("expressions", "with_", "windows", "order"):
                    continue
                for tree in part if isinstance(part, list) else [part]:
                    if isinstance(tree, exp.Expr):
                        for column in _own_columns(tree):
                            found |= self._source(column, self._owners.get(id(column), scope)).keys()
        inner = [source for _, source in scope.selected_sources.values() if isinstance(source, Scope)]
        for one in [*inner, *scope.set_operation_scopes]:
            found |= self._conditions(one)
        return found


def _own_columns(tree: exp.Expr) -> Iterator[exp.Column]:
    """The columns in FROM, JOIN, WHERE and so on, but for those that a derived table selects."""
    for node in tree.walk(
        prune=lambda one: isinstance(one, exp.Subquery) and isinstance(one.parent, exp.From | exp.Join)
    ):
        if isinstance(node, exp.Column):
            yield node


# What decides and does not enter the value: parts of expressions, and of the queries within them.
_DECIDING = {
    (exp.Window, "partition_by"),
    (exp.Window, "order"),
    (exp.If, "this"),
    (exp.Case, "this"),
    (exp.Filter, "expression"),
}
_DECIDING_CLAUSES = (exp.Where, exp.Having, exp.Qualify, exp.Join, exp.Group, exp.Order)


def _only_decides(node: exp.Expr, tree: exp.Expr) -> bool:
    while node is not tree and node.parent is not None:
        if (type(node.parent), node.arg_key) in _DECIDING or isinstance(node.parent, _DECIDING_CLAUSES):
            return True
        node = node.parent
    return False


def _windows(select: exp.Select, tree: exp.Expr) -> list[exp.Expr]:
    """The named windows that an expression uses."""
    named = {window.name: window for window in select.args.get("windows") or []}
    return [named[over.alias] for over in tree.find_all(exp.Window) if over.alias in named]


def _merge(found: dict[Column, str], more: dict[Column, str]) -> None:
    """Add what more says; that a value is made of a column says more than that a row is chosen by it."""
    for column, usage in more.items():
        if found.get(column) != "value":
            found[column] = usage


def _names(scope: Scope) -> list[str]:
    """The output columns of a scope; none of what is no query, such as UNNEST."""
    query = scope.expression
    return query.named_selects if isinstance(query, exp.Query) else []
