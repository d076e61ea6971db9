"""The macros of macros/metrics, rendered without dbt, and rows for them."""

import types
from collections.abc import Callable
from typing import Any

import duckdb
import jinja2
import pyarrow as pa

from tests.conftest import REPOSITORY
from tests.point_in_time import CompilerError


class _Return(Exception):
    """What dbt's return() does: it leaves a macro with a value."""


def package() -> Any:
    """The macros of macros/metrics as Python functions that return SQL."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    macros = types.SimpleNamespace()

    def leave(value: Any) -> None:
        raise _Return(value)

    def returning(macro: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            try:
                return macro(*arguments, **named)
            except _Return as left:
                return left.args[0]

        return called

    class Exceptions:
        @staticmethod
        def raise_compiler_error(message: str) -> None:
            raise CompilerError(message)

    class Adapter:
        @staticmethod
        def dispatch(name: str, _package: str) -> Callable[..., Any]:
            found: Callable[..., Any] = getattr(macros, f"default__{name}")
            return found

    names = {"eiderdown": macros, "exceptions": Exceptions, "adapter": Adapter, "return": leave}
    for path in sorted((REPOSITORY / "macros" / "metrics").glob("*.sql")):
        for name, macro in vars(environment.from_string(path.read_text(), globals=names).module).items():
            if callable(macro):
                setattr(macros, name, returning(macro))
    return macros


def load(connection: duckdb.DuckDBPyConnection, **columns: Any) -> None:
    """A table `scored` with these columns and a row_id."""
    count = len(next(iter(columns.values())))
    connection.register("loaded", pa.table({"row_id": range(count), **columns}))
    connection.execute("create or replace table scored as from loaded")


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = connection.sql(query)
    return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]
