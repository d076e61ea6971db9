"""`eiderdown contract`: propose contracts from data, and compare those of a view's versions."""

import dataclasses
import difflib
import json
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
from rich.console import Console

from eiderdown.output import AsJson, print_rows
from ml import files
from ml.contracts.changes import category, contract_changes
from ml.contracts.inference import MAX_VALUES, infer
from ml.contracts.yaml_text import as_model, to_yaml
from ml.errors import DeclarationError, EiderdownError
from ml.quoting import literal, quote
from ml.schemas.declaration import MAX_VALUES as MAX_DOMAIN
from ml.schemas.inference import watch
from ml.warehouse import warehouse_file

contract = typer.Typer(no_args_is_help=True, help="Contracts: proposed from data, and compared.")

READERS = {
    ".parquet": "read_parquet",
    ".csv": "read_csv",
    ".gz": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
}
Rows = Annotated[str, typer.Argument(help="A table of the warehouse, such as staging.orders, or a data file.")]
Name = Annotated[str | None, typer.Option(help="The model's name; by default the table's or the file's.")]
Sample = Annotated[int | None, typer.Option(min=1, help="Look at this many rows only.")]
Database = Annotated[Path | None, typer.Option(help="A DuckDB file in place of the home folder's.")]
_progress = Console(stderr=True)


@contract.command("infer")
def infer_contract(
    relation: Rows, name: Name = None, sample: Sample = None, database: Database = None, as_json: AsJson = False
) -> None:
    """Print the contract that the rows of a table or file keep, as YAML to paste under `models:`."""
    propose(relation, name, sample, database, as_json)


def propose(
    relation: str, name: str | None, sample: int | None, database: Path | None, as_json: bool, is_watched: bool = False
) -> None:
    """Print a proposed contract, or with `is_watched` a schema: what is reported where it breaks in the place of checks."""
    path = Path(relation)
    is_file = path.suffix in READERS and path.is_file()
    if path.suffix in READERS and not is_file:
        raise DeclarationError(f"{relation}: no such file; check the path.")
    with connect(None if is_file else database or warehouse_file(files.home())) as connection:
        source = f"{READERS[path.suffix]}({literal(relation)})" if is_file else _table(connection, relation)
        view = None if is_file else _registered(connection, relation)
        key = [*view["entity"], view["event_at"], view["known_at"]] if view else None
        with _progress.status(f"reading {relation}"):
            if sample:
                connection.execute(
                    f"create temporary table sampled as select * from {source} using sample reservoir({sample} rows) "
                    "repeatable (1)"
                )
            most = MAX_DOMAIN if is_watched else MAX_VALUES
            proposed = infer(connection, "sampled" if sample else source, key, most)
        stem = path.name.partition(".")[0] if is_file else relation.rpartition(".")[2]
        model = as_model(connection, proposed, name or (view or {}).get("view", stem), view)
    if is_watched:
        watch(model, proposed)
    if as_json:
        typer.echo(json.dumps(model))
        return
    of = f"a sample of {proposed.row_count:,} rows" if sample else f"{proposed.row_count:,} rows"
    typer.echo(f"  # Holds on {of} of {relation}; say what is to hold.\n{to_yaml(model)}", nl=False)


@contract.command("diff")
def diff_contracts(view: str, old: int, new: int, as_json: AsJson = False) -> None:
    """What changed between the contracts of a feature view at two versions: additive or breaking."""
    with _progress.status("reading the project"):
        versions = _contracts(view)
    for version in (old, new):
        if version not in versions:
            known = ", ".join(map(str, sorted(versions)))
            raise DeclarationError(f"{view} has no version {version} in the project; its versions are {known}.")
    changes = contract_changes(versions[old], versions[new])
    if as_json:
        found = [dataclasses.asdict(change) for change in changes]
        typer.echo(json.dumps({"view": view, "old": old, "new": new, "category": category(changes), "changes": found}))
        return
    columns = ["what", "change", "old", "new", "kind"]
    rows = [[_show(getattr(change, column)) for column in columns] for change in changes]
    if rows:
        print_rows(columns, rows, as_json=False)
    typer.echo(f"{view} version {old} to {new}: {category(changes)}")


def _show(value: Any) -> str:
    return "" if value is None else ", ".join(value) if isinstance(value, list) else str(value)


def connect(database: Path | None) -> duckdb.DuckDBPyConnection:
    """A read-only connection to a DuckDB file, or one in memory for data files."""
    if database is not None and not database.is_file():
        raise EiderdownError(f"{database}: no such file; name a DuckDB file with --database.")
    try:
        connection = duckdb.connect(":memory:" if database is None else str(database), read_only=database is not None)
    except duckdb.IOException as error:
        if "lock" not in str(error).lower():
            raise
        raise EiderdownError(
            f"{database} is held by another process, such as a dbt run; a DuckDB file is written by one and read by none "
            "meanwhile. Try again when it has ended, or read a release: --database <home>/releases/<id>/release.duckdb."
        ) from None
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set python_enable_replacements = false")
    return connection


def _table(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """A table or view of the database as SQL. Raises DeclarationError where there is none."""
    rows = connection.execute(
        "select table_schema || '.' || table_name from information_schema.tables order by all"
    ).fetchall()
    known = [row[0] for row in rows]
    if relation not in known:
        close = difflib.get_close_matches(relation, known, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else f" Tables are {', '.join(known[:10]) or 'none'}."
        raise DeclarationError(f"{relation} is no table of the warehouse as <schema>.<table>, and no data file.{hint}")
    return ".".join(map(quote, relation.split(".", 1)))


def _registered(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, Any] | None:
    """What registry.feature_views holds of a relation, if it is there."""
    try:
        rows = connection.execute(
            "select view, version, entity, event_at, known_at, cast(ttl as varchar), online from registry.feature_views "
            "where relation = ?",
            [relation],
        ).fetchall()
    except duckdb.CatalogException:
        return None
    names = ("view", "version", "entity", "event_at", "known_at", "ttl", "online")
    return dict(zip(names, rows[0], strict=True)) if rows else None


def _contracts(view: str) -> dict[int, dict[str, Any]]:
    """The contracts of a view's versions as the project in this folder declares them, by version."""
    # Slow to import, and only needed here.
    from dbt.cli.main import dbtRunner

    parsed = dbtRunner().invoke(["parse", "--quiet"])
    if not parsed.success or parsed.result is None:
        said = str(parsed.exception).strip(". ")
        raise DeclarationError(f"no project here can be read: {said}. Mend it, or run this in the folder of a project.")
    nodes: Any = parsed.result.nodes.values()  # type: ignore[union-attr]
    views = {
        (node.name, int(node.version)): node
        for node in nodes
        if node.resource_type == "model" and node.version and "feature_view" in (node.config.meta or {})
    }
    found = {version: _contract(node) for (name, version), node in views.items() if name == view}
    if not found:
        known = sorted({name for name, _ in views})
        close = difflib.get_close_matches(view, known, n=1)
        hint = f"Did you mean '{close[0]}'?" if close else f"The views are {', '.join(known) or 'none'}."
        raise DeclarationError(f"{view} is no feature view of the project. {hint}")
    return found


def _contract(node: Any) -> dict[str, Any]:
    """A node's contract as `contract_changes` takes it."""
    declared = node.config.meta["feature_view"]
    return {
        "columns": {
            column.name: {"type": column.data_type or "", "constraints": [_text(one) for one in column.constraints]}
            for column in node.columns.values()
        },
        "constraints": [_text(one) for one in node.constraints],
        "feature_view": {"event_at": "event_at", "known_at": "known_at", "online": True} | declared,
    }


def _text(constraint: Any) -> str:
    """A constraint in words: 'check (a > 0)', 'primary_key (a, b)'."""
    inner = constraint.expression or ", ".join(getattr(constraint, "columns", None) or [])
    return f"{constraint.type.value} ({inner})" if inner else str(constraint.type.value)
