"""`eiderdown gc`, `backup` and `restore`: the home folder as a whole. Servers may go on meanwhile."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from eiderdown.output import AsJson, console, print_rows
from ml import files
from ml.housekeeping.archive import Advance, Contents
from ml.housekeeping.backup import write_backup
from ml.housekeeping.restore import check_backup, restore_backup
from ml.release.lock import publisher_lock
from ml.warehouse import HeldWarehouse, held, warehouse_file

app = typer.Typer()
Database = Annotated[Path | None, typer.Option(help="The warehouse, where the home folder holds several DuckDB files.")]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait for a dbt run that has begun.")]


@app.command()
def gc(
    keep: Annotated[
        int,
        typer.Option(min=1, help="How many of the newest releases stay; so do the current one and the one before it."),
    ] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    database: Database = None,
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Remove old releases, artifacts that nothing names, and what killed runs left. Nothing else is touched."""
    # Slow to import, and needed by no other command.
    from ml.housekeeping.garbage import find_garbage, remove_garbage

    home = files.home()
    with _alone(home, database, wait) as warehouse:
        garbage, left = find_garbage(warehouse.connection, home, keep)
        if not dry_run:
            remove_garbage(home, garbage)
    size_bytes = sum(found.size_bytes for found in garbage)
    if as_json:
        removed = [asdict(found) for found in garbage]
        typer.echo(json.dumps({"dry_run": dry_run, "size_bytes": size_bytes, "garbage": removed, "left": left}))
        return
    if garbage:
        rows = [[found.path, found.kind, found.what, decimal(found.size_bytes)] for found in garbage]
        print_rows(["path", "kind", "what", "size"], rows, as_json=False)
    for reason in left:
        typer.secho(f"left: {reason}", err=True, fg="yellow")
    console.print(f"{'would remove' if dry_run else 'removed'} {len(garbage)}, {decimal(size_bytes)}", highlight=False)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it, such as eiderdown.tar; outside of the home folder.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check a backup that is there, and write nothing.")] = False,
    database: Database = None,
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Write the whole state, the warehouse, raw data, artifacts, releases and events, as one file."""
    if verify:
        with _progress("checking") as progress:
            contents = check_backup(file, progress)
    else:
        home = files.home()
        with _alone(home, database, wait) as warehouse, _progress("copying") as progress:
            contents = write_backup(warehouse, home, file, force, progress)
    _print_contents(f"{file} {'is whole' if verify else 'written'}", contents, {"file": str(file)}, as_json)


@app.command()
def restore(
    file: Path,
    to: Annotated[Path | None, typer.Option(help="A folder in the place of EIDERDOWN_HOME; absent or empty.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Restore where something is; it is moved to a folder beside, and kept.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the home folder, once all of it is checked: whole or not at all."""
    home = to or files.home()
    with _progress("restoring") as progress:
        contents, moved = restore_backup(file, home, force, progress)
    told = {"home": str(home)} | ({"moved_to": str(moved)} if moved else {})
    if moved and not as_json:
        console.print(f"what was there is in {moved}; servers of it are to be started anew", highlight=False)
    _print_contents(f"{home} restored", contents, told, as_json)


@contextmanager
def _alone(home: Path, database: Path | None, wait_seconds: float) -> Iterator[HeldWarehouse]:
    """The warehouse, while neither dbt nor a publisher writes."""
    with held(warehouse_file(home, database), wait_seconds) as warehouse:
        (home / "releases").mkdir(exist_ok=True)
        with publisher_lock(home / "releases"):
            yield warehouse


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], Advance]]:
    """A bar of bytes, once their count is known."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def begin(size_bytes: int) -> Advance:
            task = bar.add_task(what, total=size_bytes)
            return lambda count: bar.advance(task, count)

        yield begin


def _print_contents(said: str, contents: Contents, told: dict[str, str], as_json: bool) -> None:
    """What a backup holds, in a line or as JSON with every file."""
    if as_json:
        typer.echo(json.dumps(told | {"size_bytes": contents.size_bytes} | asdict(contents)))
        return
    made = dt.datetime.fromisoformat(contents.created_at)
    console.print(
        f"{said}: {len(contents.files)} files, {decimal(contents.size_bytes)}, of {made:%Y-%m-%d %H:%M:%S} UTC, "
        f"eiderdown {contents.platform}, DuckDB {contents.duckdb}",
        highlight=False,
    )
