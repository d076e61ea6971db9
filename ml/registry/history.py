"""What a table of the platform already holds, for models that must not do a thing twice."""

from typing import Any

import duckdb


def history(session: duckdb.DuckDBPyConnection, relation: Any, columns: str) -> list[tuple[Any, ...]]:
    """Rows of a registered table, with the columns asked for; none where the table is not there yet.

    relation: `dbt.this`, or a name such as 'registry.model_aliases'.
    """
    schema, table = str(relation).replace('"', "").split(".")[-2:]
    exists = session.execute(
        "select count(*) from duckdb_tables() where database_name = current_database() and schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchall()[0][0]
    return session.execute(f'select {columns} from "{schema}"."{table}"').fetchall() if exists else []
