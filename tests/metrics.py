"""Rows for the macros of macros/metrics."""

from typing import Any

import duckdb
import pyarrow as pa


def load(connection: duckdb.DuckDBPyConnection, **columns: Any) -> None:
    """A table `scored` with these columns and a row_id."""
    count = len(next(iter(columns.values())))
    connection.register("loaded", pa.table({"row_id": range(count), **columns}))
    connection.execute("create or replace table scored as from loaded")


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = connection.sql(query)
    return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]
