"""How commands print: tables for people, JSON for programs."""

import datetime as dt
import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ml.field_types import encode

console = Console()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_rows(columns: list[str], rows: list[list[Any]], as_json: bool) -> None:
    """Rows as a table, or as a JSON list of objects."""
    if as_json:
        typer.echo(json.dumps([dict(zip(columns, encode(row), strict=True)) for row in rows]))
        return
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_show(value) for value in row))
    console.print(table)


def _show(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.4f}" if isinstance(value, float) else str(value)
