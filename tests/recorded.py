"""Dataset versions made up for tests."""

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb

from ml import files
from ml.datasets import DatasetVersion

DEFINITION: dict[str, Any] = {
    "row_id": "id",
    "at": "seen_at",
    "not_null": ["id"],
    "request": {},
    "expressions": [],
    "views": [],
    "sql": "select * from orders",
}


def record(folder: Path, number: int, columns: dict[str, str], rows: str, **definition: Any) -> DatasetVersion:
    """A version with the rows of a query, as the dataset materialization records it."""
    path = folder / f"{number}.parquet"
    names = ", ".join(f'cast("{name}" as {sql_type}) as "{name}"' for name, sql_type in columns.items())
    with duckdb.connect() as session:
        session.execute("set TimeZone = 'UTC'")
        session.execute(f"copy (select {names} from ({rows}) order by id) to '{path}' (format parquet)")
        count = session.execute(f"select count(*) from '{path}'").fetchall()[0][0]
    return DatasetVersion(
        "orders",
        number,
        f"fingerprint {number}",
        count,
        DEFINITION | {"columns": columns} | definition,
        {},
        str(path),
        files.sha256(path),
        dt.datetime(2026, 1, number, tzinfo=dt.UTC),
    )


def view(name: str, version: int) -> dict[str, Any]:
    return {"view": name, "version": version, "features": {}}
