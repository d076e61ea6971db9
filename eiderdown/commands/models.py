"""`eiderdown models`: the versions of the models, what is recorded of each, and what differs between two."""

import dataclasses
import json
from typing import Annotated, Any

import duckdb
import typer

import eiderdown
from eiderdown.commands.model_files import Name, export, plot
from eiderdown.commands.model_pages import print_diff, print_summary, print_version
from eiderdown.output import AsJson, console, print_records
from ml.errors import DeclarationError
from ml.field_types import encode
from ml.registry.models import ModelVersion, kept_models
from ml.registry.reports import describe, metric_of

app = typer.Typer(help="See, compare, plot and export the versions of models.")
app.command()(plot)
app.command()(export)


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """See, compare, plot and export the versions of models; without a command, list them."""
    if context.invoked_subcommand is None:
        list_versions()


@app.command("list")
def list_versions(as_json: AsJson = False) -> None:
    """The versions of every model, with the metric that its promotion goes by."""
    registry = kept_models()
    with eiderdown.connect() as connection:
        rows = [
            {
                "model": version.model,
                "version": version.version,
                "aliases": [
                    alias for alias, at in registry.aliases.get(version.model, {}).items() if at == version.version
                ],
                "estimator": version.estimator,
                "task": version.task,
                "dataset": version.dataset,
                "dataset_version": version.dataset_version,
                "features": len(version.signature.features),
                **_headline(connection, version),
                "created_at": version.created_at,
                "reason": version.reason,
            }
            for version in registry.versions
        ]
    if as_json:
        print_records(rows, as_json)
        return
    for row in rows:
        print_summary(row)


@app.command()
def show(model: Name, as_json: AsJson = False) -> None:
    """All that is recorded of a version: data, parameters, metrics beside the baseline, features, aliases, libraries."""
    version = kept_models().find(model)
    with eiderdown.connect() as connection:
        described = describe(connection, version)
    if as_json:
        typer.echo(json.dumps(encode(described)))
        return
    print_version(described)


@app.command()
def compare(
    model: str,
    old: Annotated[str, typer.Argument(help="A version or an alias.")],
    new: Annotated[str, typer.Argument(help="A version or an alias.")],
    as_json: AsJson = False,
) -> None:
    """What differs between two versions of a model: declaration, parameters, data, features, metrics, importance."""
    from ml.registry.model_diff import diff_models

    before, after = _both(model, old, new)
    with eiderdown.connect() as connection, console.status(f"Comparing {before.name} with {after.name} …"):
        found = diff_models(connection, before, after)
    if as_json:
        typer.echo(json.dumps(encode(dataclasses.asdict(found))))
        return
    print_diff(found)


def _headline(connection: duckdb.DuckDBPyConnection, version: ModelVersion) -> dict[str, Any]:
    """The metric that the version's promotion goes by."""
    rule = version.promote
    found = metric_of(connection, version, rule.split, rule.metric)
    return {"metric": rule.metric, "split": rule.split, "value": found["value"] if found else None}


def _both(model: str, old: str, new: str) -> tuple[ModelVersion, ModelVersion]:
    if "@" in model:
        raise DeclarationError(
            f"'{model}' names a version; write `eiderdown models compare {model.partition('@')[0]} 1 2`."
        )
    registry = kept_models()
    return registry.find(f"{model}@{old}"), registry.find(f"{model}@{new}")
