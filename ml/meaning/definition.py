"""What a SQL model is defined by: its SQL and, as a tree, that of the models that it reads, down to the leaves.

As JSON, `{sql, reads: {"schema.table": …}}`; a relation that is read is such a definition again, or a leaf
`{fingerprint, columns: {name: type}}`: a source, a feature view (whose version keeps its meaning), or, with the `reads` that
it makes something of, a Python model.
"""

from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from ml.digest import digest

Definition = dict[str, Any]


def parse(sql: str) -> exp.Expr:
    """A statement of DuckDB's dialect, without the names of catalogs. Raises ValueError for what sqlglot cannot parse."""
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except SqlglotError as error:
        raise ValueError(f"sqlglot cannot parse the SQL: {error}") from error
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
    return tree


def expand(definition: Definition) -> exp.Expr:
    """One statement that reads leaves alone: each SQL model stands as a subquery where its name stood.

    >>> expand({"sql": "select t.a from s.t", "reads": {"s.t": {"sql": "select 1 as a", "reads": {}}}}).sql()
    'SELECT t.a FROM (SELECT 1 AS a) AS t'
    """
    tree = parse(definition["sql"])
    for table in list(tree.find_all(exp.Table)):
        read = definition["reads"].get(relation_name(table))
        if read and "sql" in read:
            subquery = exp.Subquery(
                this=expand(read), alias=exp.TableAlias(this=exp.to_identifier(table.alias_or_name))
            )
            if columns := table.alias_column_names:
                subquery.args["alias"].set("columns", [exp.to_identifier(name) for name in columns])
            for part, value in table.args.items():
                if part not in ("this", "db", "catalog", "alias"):
                    subquery.set(part, value)
            table.replace(subquery)
    return tree


def leaves(definition: Definition) -> dict[str, dict[str, Any]]:
    """The leaves under a definition by name."""
    found: dict[str, dict[str, Any]] = {}
    for name, read in definition["reads"].items():
        found |= leaves(read) if "sql" in read else {name: read}
    return found


def mark(leaf: dict[str, Any]) -> str:
    """The fingerprint of a leaf; of one that is no SQL but reads other models, such as a Python model, with all these."""
    if not leaf.get("reads"):
        return str(leaf["fingerprint"])
    return digest([leaf["fingerprint"], leaf["reads"]])


def marks_read(definition: Definition, tree: exp.Expr) -> dict[str, str]:
    """The marks of the leaves that a definition's normal form, `tree`, reads."""
    read = {relation_name(table) for table in tree.find_all(exp.Table)}
    return {name: mark(leaf) for name, leaf in leaves(definition).items() if name in read}


def schema_of(columns: dict[str, dict[str, str]]) -> dict[str, object]:
    """{"schema.table": {column: type}} as sqlglot takes it. Relations without known columns are left out.

    >>> schema_of({"s.t": {"a": "int"}, "s.u": {}})
    {'s': {'t': {'a': 'int'}}}
    """
    nested: dict[str, dict[str, dict[str, str]]] = {}
    for name, known in columns.items():
        if known:
            schema, _, table = name.rpartition(".")
            nested.setdefault(schema, {})[table] = known
    return dict(nested)


def relation_name(table: exp.Table) -> str:
    """The name under which a definition knows a table: `schema.table`."""
    return f"{table.db}.{table.name}"
