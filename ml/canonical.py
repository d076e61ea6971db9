"""A definition as one statement over its leaves, in sqlglot's normal form: what a reader compares by eye."""

import contextlib

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer import optimize
from sqlglot.optimizer.qualify import qualify

from ml.definition import Definition, expand, leaves, schema_of


def normal_form(definition: Definition) -> exp.Expr:
    """One statement with names resolved, stars and GROUP BY ALL written out, and without what nothing uses.

    A column of an upstream model that is not read is gone. Raises ValueError where sqlglot cannot parse a text. Where its
    optimizer cannot follow a query, this is the parsed statement: more rewrites then count as changes, never fewer.
    """
    tree = expand(definition)
    known = schema_of({name: leaf["columns"] for name, leaf in leaves(definition).items()})
    with contextlib.suppress(SqlglotError):
        # Stars are expanded first: `t.*` is not found any more once the aliases are canonical.
        tree = qualify(tree.copy(), schema=known, dialect="duckdb")
        tree = optimize(tree.copy(), schema=known, dialect="duckdb", canonicalize_table_aliases=True)
    for select in tree.find_all(exp.Select):
        _name_windows_in_place(select)
        _list_groups(select)
    return tree


def canonical_sql(definition: Definition) -> str:
    """The normal form as text.

    >>> table = {"s.t": {"fingerprint": "source", "columns": {"a": "int", "b": "int"}}}
    >>> canonical_sql({"sql": "select B, A -- why\\n from s.t", "reads": table})
    'SELECT "_0"."b" AS "b", "_0"."a" AS "a" FROM "s"."t" AS "_0"'
    """
    return normal_form(definition).sql(dialect="duckdb", comments=False)


def _list_groups(select: exp.Select) -> None:
    """Write out GROUP BY ALL."""
    group = select.args.get("group")
    if group is not None and group.args.get("all"):
        keys = [key.unalias().copy() for key in select.selects if not key.find(exp.AggFunc)]
        group.set("expressions", keys)
        group.set("all", None)


def _name_windows_in_place(select: exp.Select) -> None:
    """Put the definition of each window of the WINDOW clause where its name stands."""
    named = {window.name: window for window in select.args.get("windows") or []}
    for over in list(select.find_all(exp.Window)):
        window = named.get(over.alias)
        if window is not None and over.parent_select is select and over.args.get("alias"):
            for part in ("partition_by", "order", "spec"):
                value = window.args.get(part)
                over.set(part, [one.copy() for one in value] if isinstance(value, list) else value and value.copy())
            over.set("alias", None)
    select.set("windows", None)
