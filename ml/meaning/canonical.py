"""A definition as one statement over its leaves, in sqlglot's normal form: what a reader compares by eye."""

import contextlib

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.canonicalize import canonicalize
from sqlglot.optimizer.eliminate_ctes import eliminate_ctes
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.simplify import simplify

from ml.meaning.definition import Definition, expand, leaves, schema_of


def normal_form(definition: Definition) -> exp.Expr:
    """One statement with names resolved, stars and GROUP BY ALL written out, and expressions simplified.

    Of sqlglot's rules only those for names and expressions are taken: those that merge queries, move predicates or drop joins
    change results where a join is outer, ASOF, semi or positional. Raises ValueError where sqlglot cannot parse a text. Where
    it cannot resolve a name, this is the parsed statement: more rewrites then count as changes, never fewer.

    >>> table = {"s.t": {"fingerprint": "source", "columns": {"a": "int", "b": "int"}}}
    >>> normal_form({"sql": "select B, A -- why\\n from s.t", "reads": table}).sql(comments=False)
    'SELECT "t"."b" AS "b", "t"."a" AS "a" FROM "s"."t" AS "t"'
    """
    tree = expand(definition)
    known = schema_of({name: leaf["columns"] for name, leaf in leaves(definition).items()})
    with contextlib.suppress(SqlglotError):
        tree = qualify(tree.copy(), schema=known, dialect="duckdb")
        tree = eliminate_ctes(tree)
        tree = annotate_types(tree, schema=known, dialect="duckdb")
        tree = simplify(canonicalize(tree, dialect="duckdb"), dialect="duckdb")
    for select in tree.find_all(exp.Select):
        _name_windows_in_place(select)
        _list_groups(select)
    return tree


def _list_groups(select: exp.Select) -> None:
    """Write out GROUP BY ALL."""
    group = select.args.get("group")
    if group is not None and group.args.get("all"):
        keys = [key.unalias().copy() for key in select.selects if not key.find(exp.AggFunc)]
        group.set("expressions", keys)
        group.set("all", None)


def _name_windows_in_place(select: exp.Select) -> None:
    """Put the definition of each window of the WINDOW clause where its name stands, unless one builds on another."""
    named = {window.name: window for window in select.args.get("windows") or []}
    if any(window.alias in named for window in named.values()):
        return
    for over in list(select.find_all(exp.Window)):
        window = named.get(over.alias)
        if window is not None and over.parent_select is select and over.args.get("alias"):
            for part in ("partition_by", "order", "spec"):
                if over.args.get(part):
                    continue
                value = window.args.get(part)
                over.set(part, [one.copy() for one in value] if isinstance(value, list) else value and value.copy())
            over.set("alias", None)
    select.set("windows", None)
