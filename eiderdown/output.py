"""How commands print: tables for people, JSON for programs."""

import datetime as dt
import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
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
    shown = [[_show(value) for value in row] for row in rows]
    for place, column in enumerate(columns):
        # The first column tells rows apart, so it is the last to be folded.
        longest = max((len(row[place]) for row in shown), default=0)
        table.add_column(column, overflow="fold", no_wrap=place == 0 and longest <= 24)
    for row in shown:
        table.add_row(*(escape(value) for value in row))
    console.print(table)


def print_records(records: list[dict[str, Any]], as_json: bool) -> None:
    """The same for rows that know their columns' names."""
    print_rows(list(records[0]) if records else [], [list(record.values()) for record in records], as_json)


def _show(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
