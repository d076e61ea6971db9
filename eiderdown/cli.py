"""The command line."""

import datetime as dt
import json
from typing import Annotated, Any

import duckdb
import typer

import eiderdown
from eiderdown.commands import (
    alerts,
    datasets,
    experiments,
    features,
    housekeeping,
    labels,
    models,
    promotion,
    tokens,
    watch,
)
from eiderdown.commands.contract import contract
from eiderdown.commands.diff import diff
from eiderdown.commands.lineage import lineage
from eiderdown.commands.predict import predict
from eiderdown.commands.ray import ray
from eiderdown.commands.report import report
from eiderdown.commands.reproduce import reproduce
from eiderdown.commands.schema import schema
from eiderdown.commands.serve import serve
from eiderdown.commands.tune import tune
from eiderdown.commands.year import year
from eiderdown.demonstration import flights
from eiderdown.output import AsJson, console, print_rows
from ml import files
from ml.errors import EiderdownError
from ml.release.manifest import all_manifests, current_release, releases_folder


class _Commands(typer.core.TyperGroup):
    """Shows the platform's errors as one line, without a trace."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (EiderdownError, duckdb.Error) as error:
            typer.secho(f"Error: {error}", err=True, fg="red")
            raise typer.Exit(1) from None


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False, help="A machine-learning platform in dbt.")
load = typer.Typer(no_args_is_help=True, help="Put raw data under the home folder.")
app.add_typer(load, name="load")
app.add_typer(alerts.app, name="alerts")
app.add_typer(contract, name="contract")
app.add_typer(datasets.app, name="datasets")
app.add_typer(experiments.app, name="experiments")
app.add_typer(features.app, name="features")
app.add_typer(labels.app, name="label")
app.add_typer(models.app, name="models")
app.add_typer(schema, name="schema")
app.add_typer(tokens.app, name="tokens")
app.add_typer(housekeeping.app)
app.add_typer(promotion.app)
app.add_typer(watch.app)
app.command()(diff)
app.command()(lineage)
app.command()(report)
app.command()(tune)
app.command()(reproduce)
app.command()(serve)
app.command()(ray)
app.command()(predict)
app.command()(year)


@load.command("flights")
def load_flights(
    as_of: Annotated[
        str | None, typer.Option(help="Up to when the world is known, such as 2013-12-31T12:00:00Z; kept if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The flights out of New York in 2013, and the clock of the demonstration."""
    loaded = flights.load(files.home() / "raw", as_of)
    if as_json:
        typer.echo(json.dumps(loaded))
        return
    for name, state in loaded["files"].items():
        console.print(f"  {name:<14} {state}")
    console.print(f"  the clock stands at {loaded['as_of']}")


@app.command()
def releases(as_json: AsJson = False) -> None:
    """The releases on disk, newest first."""
    folder = releases_folder()
    current = current_release(folder)
    manifests, problems = all_manifests(folder)
    for problem in problems:
        typer.secho(problem, err=True, fg="red")
    rows = [
        {
            "release": manifest.release,
            "is_current": manifest.release == current,
            "as_of": dt.datetime.fromisoformat(manifest.as_of),
            "created_at": dt.datetime.fromisoformat(manifest.created_at),
            "models": [model.name for model in manifest.models],
        }
        for manifest in reversed(manifests)
    ]
    columns = ["release", "is_current", "as_of", "created_at", "models"]
    print_rows(columns, [list(row.values()) for row in rows], as_json)


@app.command()
def sql(
    query: str, release: Annotated[str | None, typer.Option(help="Another release.")] = None, as_json: AsJson = False
) -> None:
    """Query the current release: what is served, under the warehouse's names; also while dbt runs."""
    with eiderdown.connect(release) as connection:
        try:
            result = connection.execute(query)
            if result is None or result.description is None:
                raise EiderdownError("the query is empty; write a select statement.")
        except duckdb.CatalogException as error:
            raise EiderdownError(
                f"{error}\nA release holds features.* and registry.*, and beside it are the versions of datasets, "
                "datasets.<dataset>_v<version> (`eiderdown datasets list`); the rest is in the warehouse."
            ) from None
        columns = [column[0] for column in result.description or []]
        print_rows(columns, [list(row) for row in result.fetchall()], as_json)


@app.command("tour")
def take_tour() -> None:
    """After a build: how good the models are, a prediction over HTTP, and what to try next."""
    # Here, since it takes long to import, which no other command needs.
    from eiderdown.demonstration import tour

    tour.take(console)
