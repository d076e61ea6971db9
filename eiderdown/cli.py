"""The command line."""

import datetime as dt
import json
import os
from pathlib import Path
from typing import Annotated, Any

import duckdb
import httpx
import typer
import uvicorn

import eiderdown
from eiderdown.commands import datasets, features, housekeeping, models, promotion, tokens
from eiderdown.commands.contract import contract
from eiderdown.commands.diff import diff
from eiderdown.commands.lineage import lineage
from eiderdown.commands.reproduce import reproduce
from eiderdown.commands.tune import tune
from eiderdown.demonstration import flights, tour
from eiderdown.output import AsJson, console, print_rows
from ml import files
from ml.errors import EiderdownError
from ml.release.manifest import all_manifests, current_release, releases_folder
from serving.guard import check_binding
from serving.http_protocol import LimitedProtocol
from serving.json_logs import LOG_CONFIG
from serving.settings import Settings


class _Commands(typer.core.TyperGroup):
    """Shows the platform's errors as one line, without a trace."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (EiderdownError, duckdb.Error, httpx.HTTPError) as error:
            typer.secho(f"Error: {error}", err=True, fg="red")
            raise typer.Exit(1) from None


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False, help="A machine-learning platform in dbt.")
load = typer.Typer(no_args_is_help=True, help="Put raw data under the home folder.")
app.add_typer(load, name="load")
app.add_typer(contract, name="contract")
app.add_typer(datasets.app, name="datasets")
app.add_typer(features.app, name="features")
app.add_typer(models.app, name="models")
app.add_typer(tokens.app, name="tokens")
app.add_typer(housekeeping.app)
app.add_typer(promotion.app)
app.command()(diff)
app.command()(lineage)
app.command()(tune)
app.command()(reproduce)


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
def serve(
    host: Annotated[str, typer.Option(help="Another than a loopback address needs tokens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Server processes.")] = 1,
) -> None:
    """Answer over HTTP from the current release; documentation of the interface is at /docs."""
    check_binding(host, Settings.from_environment())
    uvicorn.run(
        "serving.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=LimitedProtocol,
        ws="none",
        server_header=False,
        access_log=False,
        log_config=LOG_CONFIG,
    )


@app.command()
def predict(
    model: str,
    instance: Annotated[list[str], typer.Option(help="A JSON object, or @FILE; may be given more than once.")],
    url: Annotated[str, typer.Option(help="Where the server listens.")] = "http://127.0.0.1:8000",
    version: Annotated[int | None, typer.Option(help="A version in place of the champion.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a running server for predictions, with the token in EIDERDOWN_TOKEN where there is one."""
    try:
        instances = [json.loads(Path(text[1:]).read_text() if text.startswith("@") else text) for text in instance]
    except (ValueError, OSError) as error:
        raise EiderdownError(f"--instance: not a JSON object ({error})") from None
    body = {"instances": instances} | ({"version": version} if version else {})
    try:
        answer = httpx.post(f"{url}/predict/{model}", json=body, headers=_authorization(), timeout=30)
    except httpx.ConnectError:
        raise EiderdownError(f"no server answers at {url}; start one with `eiderdown serve`.") from None
    if answer.is_error:
        raise EiderdownError(f"the server answered {answer.status_code}: {answer.text}")
    if as_json:
        typer.echo(answer.text)
        return
    answered = answer.json()
    console.print(f"{answered['model']} version {answered['version']}, release {answered['release']}")
    for prediction in answered["predictions"]:
        label = f"  label {prediction['label']}" if "label" in prediction else ""
        console.print(f"  score {_show_score(prediction['score'])}{label}  {prediction['status']}")


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
    tour.take(console)


def _show_score(score: float | dict[str, float]) -> str:
    if isinstance(score, dict):
        return ", ".join(f"{name} {value:.4f}" for name, value in score.items())
    return f"{score:.4f}"


def _authorization() -> dict[str, str]:
    token = os.environ.get("EIDERDOWN_TOKEN")
    return {"authorization": f"Bearer {token}"} if token else {}
