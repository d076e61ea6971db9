"""`eiderdown label`: tasks of weak supervision, their functions, the rows to label by hand, and the labels that came of it."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from eiderdown.output import AsJson, console, print_records
from ml import files
from ml.errors import DeclarationError
from ml.labeling.experts import import_labels
from ml.labeling.tasks import candidates_of, dependent, find_task, functions_of, label_tasks, questions_of, summary
from ml.warehouse import reading, warehouse_file

app = typer.Typer(no_args_is_help=True, help="Labels: tasks, functions, rows to label by hand, and the answers.")
Task = Annotated[str, typer.Argument(help="The task, such as churned for the model churned_votes.")]
Database = Annotated[Path | None, typer.Option(help="A DuckDB file in place of the home folder's.")]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait for a dbt run that has begun.")]


@app.command("list")
def list_tasks(database: Database = None, wait: Wait = 0, as_json: AsJson = False) -> None:
    """The tasks, with the newest version of their label model and how many rows have a label of which source."""
    with reading(database or warehouse_file(files.home()), wait) as connection:
        records = [summary(connection, task) for task in label_tasks(connection)]
    shown = [
        {name: value for name, value in record.items() if name not in ("method", "created_at")} for record in records
    ]
    print_records(records if as_json else shown, as_json)


@app.command()
def functions(task: Task, database: Database = None, wait: Wait = 0, as_json: AsJson = False) -> None:
    """How often each labelling function votes, how often others vote otherwise, and how right it is."""
    with reading(database or warehouse_file(files.home()), wait) as connection:
        found = functions_of(connection, find_task(connection, task))
    print_records(found if as_json else _functions(found), as_json)


@app.command()
def candidates(
    task: Task,
    limit: Annotated[int, typer.Option(min=1, help="So many rows, the best first.")] = 100,
    slice_: Annotated[str, typer.Option("--slice", help="Of these rows only, such as site=A.")] = "all",
    output: Annotated[
        Path | None, typer.Option(help="A CSV file to fill in; one that is there is not replaced.")
    ] = None,
    database: Database = None,
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """The rows that are most worth a label by hand: printed, or as a file to fill in and import."""
    if output is not None and output.exists():
        raise DeclarationError(f"{output} is there already, and may hold answers; name another file.")
    with reading(database or warehouse_file(files.home()), wait) as connection:
        found = find_task(connection, task)
        rows = (candidates_of if output is None else questions_of)(connection, found, slice_, limit)
    if output is None:
        print_records(rows if as_json else [_candidate(row) for row in rows], as_json)
        return
    if rows:
        files.write_whole(output, _to_fill_in(rows).encode())
    if as_json:
        typer.echo(json.dumps({"file": str(output), "rows": len(rows)}))
        return
    if not rows:
        console.print(
            f"no file written: no row of {task} with a vote lacks an expert's label", highlight=False, soft_wrap=True
        )
        return
    console.print(
        f"{output} written, {len(rows)} rows; fill in the column label, then: eiderdown label import {task} {output}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@app.command("import")
def import_answers(
    task: Task,
    file: Annotated[Path, typer.Argument(help="CSV, JSON or Parquet with the task's row id and a column label.")],
    by: Annotated[str | None, typer.Option(help="Who gave the labels; you, if not given.")] = None,
    database: Database = None,
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Take the labels of a file, all of them or none; the next dbt run reads them. Rows without a label are passed over."""
    with reading(database or warehouse_file(files.home()), wait) as connection:
        imported = import_labels(connection, find_task(connection, task), file, by)
    if as_json:
        typer.echo(json.dumps(asdict(imported)))
        return
    said = [f"{imported.written} labels of {imported.task} by {imported.labelled_by} written"]
    said += [f"{imported.unchanged} as they were"] if imported.unchanged else []
    said += [f"{imported.empty} rows without a label passed over"] if imported.empty else []
    console.print(", ".join(said), highlight=False, markup=False, soft_wrap=True)


def _to_fill_in(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _functions(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Labelling functions in the width of a terminal; those with the same `group` depend on each other."""
    shares = {"votes": "coverage", "overlap": "overlap", "conflict": "conflict"}
    shares |= {"learned": "learned_accuracy", "known": "gold_accuracy"}
    return [
        {"function": row["function"], **{name: _share(row[column]) for name, column in shares.items()}, "group": group}
        for row, group in zip(found, dependent(found), strict=True)
    ]


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _candidate(row: dict[str, Any]) -> dict[str, Any]:
    """A row to label in the width of a terminal."""
    votes = [f"{function}: {vote}" for function, vote in row["votes"].items()]
    measures = ("slice", "uncertainty", "conflict", "representativeness")
    return {name: value for name, value in row.items() if name not in measures} | {"votes": votes}
