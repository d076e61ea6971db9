"""The warehouse file: which one it is, and its lock, under which nobody else writes to it or to the artifacts."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import duckdb

from ml.errors import WarehouseError

_RETRY_SECONDS = 0.2


@dataclass(frozen=True)
class HeldWarehouse:
    """The warehouse under its lock: a connection that may write, and its file, to be copied after a checkpoint."""

    path: Path
    connection: duckdb.DuckDBPyConnection
    file: BinaryIO


def warehouse_file(home: Path, named: Path | None = None) -> Path:
    """The one DuckDB file of a home folder, or the one in it that is named.

    Raises WarehouseError where there is none or more than one, or the named one lies elsewhere.
    """
    if named is not None:
        if named.resolve().parent != home.resolve():
            raise WarehouseError(
                f"{named}: lies outside of {home}, and a home holds its warehouse; set EIDERDOWN_HOME."
            )
        return home / named.name
    found = sorted(home.glob("*.duckdb"))
    if len(found) != 1:
        said = f"{len(found)} DuckDB files" if found else "no DuckDB file"
        raise WarehouseError(f"{home} holds {said}; name one with --database, or build one with `dbt run`.")
    return found[0]


@contextmanager
def held(database: Path, wait_seconds: float = 0.0) -> Iterator[HeldWarehouse]:
    """Hold a warehouse's lock, so that no dbt run writes meanwhile; a run that has begun is waited for so long.

    Raises WarehouseError where there is no such file, or another process still holds it.
    """
    _refuse_absent(database)
    # DuckDB's lock is a POSIX one: it is lost as soon as the process closes any descriptor of the file. So the one that
    # copies are read from is closed after the connection.
    with database.open("rb") as file, _connect(database, time.monotonic() + wait_seconds) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield HeldWarehouse(database, connection, file)


@contextmanager
def reading(database: Path, wait_seconds: float = 0.0) -> Iterator[duckdb.DuckDBPyConnection]:
    """Read a warehouse, beside other readers; a dbt run that has begun is waited for so long.

    Raises WarehouseError where there is no such file, or another process still writes it.
    """
    _refuse_absent(database)
    with _connect(database, time.monotonic() + wait_seconds, read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def _refuse_absent(database: Path) -> None:
    if not database.is_file():
        raise WarehouseError(f"{database}: no such file; name a DuckDB file with --database.")


def held_by_another(database: Path) -> WarehouseError:
    """What to say where another process has the lock."""
    return WarehouseError(f"{database} is held by another process, such as a dbt run; try again when it has ended.")


def _connect(database: Path, deadline: float, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    while True:
        try:
            return duckdb.connect(str(database), read_only=read_only)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() >= deadline:
                raise held_by_another(database) from None
        time.sleep(_RETRY_SECONDS)
