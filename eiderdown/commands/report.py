"""`eiderdown report`: what is monitored, as one HTML file."""

import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal

from eiderdown.output import AsJson, console, print_rows
from ml import files
from ml.errors import DeclarationError
from ml.warehouse import reading, warehouse_file

_progress = Console(stderr=True)


def report(
    to: Annotated[Path, typer.Option(help="The HTML file; one that is there is replaced.")] = Path("report.html"),
    relation: Annotated[
        list[str] | None, typer.Option(help="Only this relation, as <schema>.<table>; may be said several times.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="Only this model; may be said several times.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Leave out what came later than this time, such as 2013-07-01T00:00:00Z.")
    ] = None,
    database: Annotated[Path | None, typer.Option(help="A DuckDB file in place of the home folder's.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a dbt run that has begun.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write data quality, drift, model quality, labels and alerts as one HTML file, which needs no network and no script."""
    # Slow to import, and needed by no other command.
    from ml.reports.labels import read_labels
    from ml.reports.page import render
    from ml.reports.rows import read

    until = None if as_of is None else _moment(as_of)
    with _progress.status("reading the warehouse"):
        with reading(database or warehouse_file(files.home()), wait) as connection:
            monitoring = read(connection, until, relation or [], model or [])
            tasks = [] if relation or model else read_labels(connection)
        page, lights = render(monitoring, tasks)
    content = page.encode()
    files.write_whole(to, content)
    if as_json:
        told = {"file": str(to), "size_bytes": len(content), "as_of": monitoring.as_of.isoformat()}
        typer.echo(json.dumps(told | {"summary": [asdict(light) for light in lights]}))
        return
    rows = [[light.name, light.kind, light.state, "; ".join(light.findings)] for light in lights]
    print_rows(["name", "kind", "state", "findings"], rows, as_json=False)
    console.print(
        f"{to} written, {decimal(len(content))}, as of {monitoring.as_of:%Y-%m-%d %H:%M} UTC", highlight=False
    )


def _moment(text: str) -> dt.datetime:
    """A time, UTC where it names no zone. Raises DeclarationError where it is none."""
    try:
        parsed = dt.datetime.fromisoformat(text)
    except ValueError:
        raise DeclarationError("--as-of is no time; write it like 2013-07-01T00:00:00Z.") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)
