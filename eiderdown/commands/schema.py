"""`eiderdown schema`: what columns are to hold, shown, inferred, validated, and changed where data has rightly changed."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer

from eiderdown.commands.contract import READERS, Database, Name, Rows, Sample, connect, propose
from eiderdown.output import AsJson, console, print_records
from ml import files
from ml.errors import DeclarationError
from ml.quoting import literal
from ml.schemas.accept import applied, merged, write
from ml.warehouse import warehouse_file

schema = typer.Typer(no_args_is_help=True, help="Schemas: domains, presence, environments; what breaks them; give in.")


@schema.command("show")
def show_schema(
    relation: Annotated[str, typer.Argument(help="A model of the project, or the table that it builds.")],
    as_json: AsJson = False,
) -> None:
    """What the YAML declares of each column, in the relation's environment."""
    from ml.project import call  # dbt takes seconds to import, which no other command needs.

    with console.status("dbt reads the project"):
        declared = call("eiderdown.declared_schema", relation)
    if as_json:
        typer.echo(json.dumps(declared))
        return
    of_rows = {name: value for name, value in declared["relations"][0].items() if value is not None}
    console.print(", ".join(f"{name} {value}" for name, value in of_rows.items()), highlight=False)
    print_records([_shown(column) for column in declared["columns"]], as_json=False)


@schema.command("infer")
def infer_schema(
    relation: Rows, name: Name = None, sample: Sample = None, database: Database = None, as_json: AsJson = False
) -> None:
    """Print the schema that the rows keep, as YAML to paste under `models:`. It reports; a contract stops a build."""
    propose(relation, name, sample, database, as_json, is_watched=True)


@schema.command("validate")
def validate(
    relation: Annotated[str, typer.Argument(help="A model of the project or its table; or a data file, with --model.")],
    model: Annotated[str | None, typer.Option(help="The model whose schema a data file is to keep.")] = None,
    as_json: AsJson = False,
) -> None:
    """What breaks the schema in a relation or a data file, now, without a build. Ends with 1 where an error is found."""
    from ml.project import call

    path = Path(relation)
    arguments = [relation]
    if path.suffix in READERS:
        if not path.is_file():
            raise DeclarationError(f"{relation}: no such file; check the path.")
        if model is None:
            raise DeclarationError(
                f"{relation} is a data file; name the model whose schema it is to keep with --model."
            )
        arguments = [model, f"(select * from {READERS[path.suffix]}({literal(path.resolve())}))"]
    with console.status(f"reading {relation}"):
        found = call("eiderdown.validated", *arguments)
    if as_json:
        typer.echo(json.dumps(found))
    elif found:
        print_records(
            [{name: one[name] for name in ("feature", "kind", "severity", "text")} for one in found], as_json=False
        )
    else:
        console.print(f"{relation} keeps its schema")
    if any(one["severity"] == "error" for one in found):
        raise typer.Exit(1)


@schema.command("accept")
def accept(
    relation: Annotated[str, typer.Argument(help="The table whose anomalies are meant, such as datasets.orders.")],
    feature: Annotated[str | None, typer.Argument(help="The column; '(all)' for those of the number of rows.")] = None,
    kind: Annotated[str | None, typer.Argument(help="The kind of anomaly; by default every one.")] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Accept for every column.")] = False,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Show the change, and write nothing.")] = False,
    database: Annotated[Path | None, typer.Option(help="A DuckDB file in place of the home folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put what the anomalies of a relation suggest into the YAML of the model; all else in the file stays as it is."""
    from ml.project import yaml_files

    if (feature is None) is not is_all:
        raise DeclarationError("name a column, or all of them with --all.")
    with connect(database or warehouse_file(files.home())) as connection:
        suggested = _suggestions(connection, relation, feature, kind)
    changes = merged(suggested)
    texts = applied(changes, yaml_files())
    if not is_dry:
        for path, (old, new) in texts.items():
            write(path, old, new)
    if as_json:
        typer.echo(
            json.dumps(
                [{"model": one.model, "column": one.column, "path": one.path, "value": one.value} for one in changes]
            )
        )
        return
    for path, (old, new) in texts.items():
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), str(path), str(path), lineterm="", n=2)
        for line in lines:
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[0], "")
            console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(changes)} values {'would change' if is_dry else 'changed'} in {len(texts)} files")


def _suggestions(
    connection: duckdb.DuckDBPyConnection, relation: str, feature: str | None, kind: str | None
) -> list[dict[str, Any]]:
    """What monitoring.anomalies suggests, the first window first. Raises DeclarationError where it suggests nothing."""
    try:
        rows = connection.execute(
            "select kind, suggested_change from monitoring.anomalies where relation = ? and coalesce(feature = ?, true) "
            "and coalesce(kind = ?, true) order by window_at, kind",
            [relation, feature, kind],
        ).fetchall()
    except duckdb.CatalogException:
        raise DeclarationError("the warehouse has no monitoring.anomalies; build it with `dbt run`.") from None
    found = [json.loads(change) for _, change in rows if change]
    if not found:
        of = ", ".join(part for part in (relation, feature, kind) if part)
        kinds = sorted({row[0] for row in rows})
        said = (
            f"has anomalies ({', '.join(kinds)}), but none that a schema should accept" if kinds else "has no anomaly"
        )
        raise DeclarationError(f"{of} {said}. See `select * from monitoring.anomalies`; names are written as there.")
    return found


def _shown(column: dict[str, Any]) -> dict[str, Any]:
    """A column's row, in few words."""
    low, high = column["min"], column["max"]
    domain = column["values"] or column["pattern"] or (f"{low or ''} to {high or ''}" if low or high else None)
    return {
        "column": column["feature"],
        "type": column["declared_type"],
        "required": "yes" if column["is_required"] else "",
        "validated": ""
        if column["is_validated"]
        else column["lifecycle"]
        if column["lifecycle"] != "production"
        else "no",
        "domain": domain,
        "presence": column["min_fraction"] if column["min_fraction"] is not None else column["min_count"],
        "declared in": column["model"],
    }
