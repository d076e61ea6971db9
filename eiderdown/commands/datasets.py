"""`eiderdown datasets`: the recorded versions of the datasets."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

import eiderdown
from eiderdown.output import AsJson, console, print_rows
from ml.datasets.diff import DatasetDiff, diff_versions
from ml.datasets.distribution import KOLMOGOROV_SMIRNOV, Distribution, DistributionChange
from ml.datasets.file import write_dataset_file
from ml.datasets.versions import DatasetVersion
from ml.errors import ReleaseError
from ml.field_types import encode

app = typer.Typer(no_args_is_help=True, help="List, compare and share the recorded versions of datasets.")
Version = Annotated[int | None, typer.Option(min=1, help="The latest if not given.")]


@app.command("list")
def list_versions(as_json: AsJson = False) -> None:
    """Each version of each dataset; its models are those of the current release."""
    trained = _models_of_release()
    rows = [_summary(version, trained) for version in eiderdown.datasets()]
    if as_json:
        typer.echo(json.dumps(encode(rows)))
        return
    for row in rows:
        _print_summary(row)


@app.command()
def show(dataset: str, version: Version = None, as_json: AsJson = False) -> None:
    """What a version is made of; its file is checked against its SHA-256."""
    found = eiderdown.dataset(dataset, version)
    path = found.checked_path()
    if as_json:
        described = asdict(found) | {
            "file": str(path),
            "models": _models_of_release().get((dataset, found.version), []),
        }
        typer.echo(json.dumps(encode(described)))
        return
    _print_summary(_summary(found, _models_of_release()))
    console.print(f"  SHA-256 {found.artifact_sha256}\n  file    {path}", highlight=False, soft_wrap=True)
    views = {feature: view["view"] for view in found.definition["views"] for feature in view["features"]}
    expressions = {expression.name: expression.expression for expression in found.expressions}
    rows = []
    for column, sql_type in found.columns.items():
        origin = "request" if column in found.definition["request"] else views.get(column, "")
        rows.append(
            [
                column,
                sql_type,
                "not null" if column in found.definition["not_null"] else "",
                expressions.get(column, origin),
            ]
        )
    print_rows(["column", "type", "", "from"], rows, as_json)


@app.command()
def diff(
    dataset: str,
    old: Annotated[int, typer.Argument(min=1)],
    new: Annotated[int, typer.Argument(min=1)],
    memory_limit: Annotated[
        str | None, typer.Option(help="Such as 2GB; what needs more goes to temporary files.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What differs between two versions: rows, columns, distributions, feature views, declaration and SQL."""
    with console.status(f"Comparing {dataset} version {old} with version {new} …"):
        found = diff_versions(eiderdown.dataset(dataset, old), eiderdown.dataset(dataset, new), memory_limit)
    if as_json:
        typer.echo(json.dumps(encode(asdict(found))))
        return
    _print_rows_and_columns(found)
    table = _distributions(found)
    if table.row_count:
        console.print(table)
        console.print(
            "KS: Kolmogorov-Smirnov distance; L∞: the greatest difference of a value's share.", highlight=False
        )
    console.print(f"{len(found.distributions) - table.row_count} columns hold the same values", highlight=False)
    for view, (before, after) in found.views.items():
        console.print(f"feature view {view}: {_was(before)} → {_was(after)}", highlight=False)
    for path, (before, after) in found.definition.items():
        console.print(f"{path}: {_was(before)} → {_was(after)}", highlight=False, markup=False, soft_wrap=True)
    for line in found.sql:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


@app.command()
def export(
    dataset: str,
    to: Annotated[Path, typer.Option(help="A file that ends in .parquet.")],
    version: Version = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a version as one Parquet file that says what it holds; `eiderdown.read_dataset(file)` checks and reads it."""
    found = eiderdown.dataset(dataset, version)
    with console.status(f"Writing {to} …"):
        write_dataset_file(found, to, overwrite=force)
    console.print(f"{to}: {dataset} version {found.version}, {found.row_count:,} rows", highlight=False, soft_wrap=True)


def _summary(version: DatasetVersion, trained: dict[tuple[str, int], list[str]]) -> dict[str, Any]:
    return {
        "dataset": version.dataset,
        "version": version.version,
        "rows": version.row_count,
        "columns": len(version.columns),
        "views": version.views,
        "label_sources": version.label_sources,
        "models": trained.get((version.dataset, version.version), []),
        "bytes": version.path.stat().st_size if version.path.is_file() else 0,
        "created_at": version.created_at,
    }


def _models_of_release() -> dict[tuple[str, int], list[str]]:
    """The models that the current release's registry holds, by the dataset version that they were trained on."""
    try:
        connection = eiderdown.connect()
    except ReleaseError:
        return {}
    with connection:
        rows = connection.execute(
            "select dataset, dataset_version, list(model || ' ' || version order by model, version) "
            "from registry.model_versions group by all"
        ).fetchall()
    return {(dataset, version): models for dataset, version, models in rows}


def _print_summary(row: dict[str, Any]) -> None:
    console.print(
        f"{row['dataset']} version {row['version']}: {row['rows']:,} rows, {row['columns']} columns, "
        f"{row['bytes'] / 1e6:,.1f} MB, {row['created_at']:%Y-%m-%d %H:%M}",
        highlight=False,
        soft_wrap=True,
    )
    views = ", ".join(f"{view} {version}" for view, version in row["views"].items())
    console.print(f"  views   {views}\n  models  {', '.join(row['models'])}", highlight=False, soft_wrap=True)
    if row["label_sources"]:
        sources = ", ".join(f"{source} {count:,}" for source, count in row["label_sources"].items())
        console.print(f"  labels  {sources}", highlight=False, soft_wrap=True)


def _print_rows_and_columns(found: DatasetDiff) -> None:
    rows = found.rows
    console.print(f"{found.dataset}: version {found.old} → version {found.new}", highlight=False)
    console.print(f"rows: {rows.old:,} → {rows.new:,}", highlight=False)
    if rows.changed is None:
        console.print("  the row id is another column, so rows cannot be matched")
    else:
        console.print(f"  added {rows.added:,}, removed {rows.removed:,}, changed {rows.changed:,}", highlight=False)
    for column, sql_type in found.columns_added.items():
        console.print(f"column added: {column} {sql_type}", highlight=False)
    for column, sql_type in found.columns_removed.items():
        console.print(f"column removed: {column} {sql_type}", highlight=False)
    for column, (before, after) in found.columns_retyped.items():
        console.print(f"column retyped: {column} {before} → {after}", highlight=False)


def _distributions(found: DatasetDiff) -> Table:
    """Of the columns that differ; all figures are in the JSON."""
    table = Table("column", "changed", "nulls", "mean, median time or top value", "distance")
    for column, change in found.distributions.items():
        changed = found.changed_values.get(column)
        if changed or change.old != change.new:
            table.add_row(
                column,
                "" if changed is None else f"{changed:,}",
                _both(change.old.null_count, change.new.null_count),
                _both(_typical(change.old), _typical(change.new)),
                _distance(change),
            )
    return table


def _typical(values: Distribution) -> Any:
    if values.top:
        return values.top[0][0]
    return values.quantiles[50] if values.mean is None and values.quantiles else values.mean


def _distance(change: DistributionChange) -> str:
    method = "KS" if change.method == KOLMOGOROV_SMIRNOV else "L∞"
    return "" if change.distance is None else f"{method} {change.distance:.4f}"


def _both(old: Any, new: Any) -> str:
    """A value that is the same in both versions once, else both."""
    before, after = _figure(old), _figure(new)
    return before if before == after else f"{before} → {after}"


def _figure(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.5g}" if isinstance(value, float) else escape(str(encode(value)))


def _was(value: Any) -> str:
    return "none" if value is None else str(value)
