"""`eiderdown year`: the demonstration as a year of production."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from eiderdown.output import AsJson, console
from ml import files


def year(
    folder: Annotated[
        Path | None, typer.Option(help="Where it is played, anew; by default year/ of the home folder.")
    ] = None,
    planes: Annotated[int, typer.Option(min=1, help="One plane in so many, with all its flights.")] = 4,
    incidents: Annotated[bool, typer.Option(help="Let things go wrong.")] = True,
    as_json: AsJson = False,
) -> None:
    """Play 2013 as production: a model of the first quarter serves the rest of the year, month by month.

    Flights are asked for through the server, feature rows are pushed and outcomes told as they would have come, and after each
    month the watch builds, alerts and retrains. Three things go wrong; the last table says when each was found.
    """
    # Slow to import, and only needed here.
    from eiderdown.demonstration.year.home import Home
    from eiderdown.demonstration.year.incidents import INCIDENTS
    from eiderdown.demonstration.year.replay import prepare, run
    from eiderdown.demonstration.year.story import found, worth
    from eiderdown.demonstration.year.world import World

    planted = INCIDENTS if incidents else ()
    with console.status("raw data, the year's feature rows, and a model of the first quarter") as status:
        home = Home(folder or files.home() / "year", planes, planted)
        prepare(home)
        months = []
        for month in run(home, World(home.truth / "eiderdown.duckdb", planted), status.update):
            months.append(month)
            if not as_json:
                _print_month(month)
    gained = worth(home.warehouse / "eiderdown.duckdb")
    verdicts = [found(incident, months) for incident in planted]
    if as_json:
        said: dict[str, Any] = {"months": months, "incidents": verdicts, "worth": gained}
        typer.echo(json.dumps(said, default=lambda value: vars(value) if hasattr(value, "__dict__") else str(value)))
        return
    table = Table("incident", "planted in", "alarmed", "in other months")
    for verdict in verdicts:
        table.add_row(verdict.incident, verdict.month, verdict.alarm or "no", ", ".join(verdict.elsewhere) or "no")
    console.print(table)
    gain = gained.text if gained else "nothing: no other version served"
    console.print(f"Training again was worth {gain}", highlight=False)
    console.print(
        f"The year lies in {home.folder}; see it with: EIDERDOWN_HOME={home.warehouse} eiderdown report --to year.html",
        highlight=False,
        soft_wrap=True,
    )


def _print_month(month: Any) -> None:
    versions = ", ".join(map(str, month.versions))
    auc = "" if month.auc is None else f", AUC {month.auc:.3f}"
    console.print(
        f"[bold]{month.start:%B}[/bold]  {month.predicted:,} predictions of version {versions}{auc}", highlight=False
    )
    for alert in month.alerts:
        console.print(f"  {alert.severity}: {alert.text}", highlight=False, markup=False, soft_wrap=True)
    if month.decision:
        console.print(f"  trained again: {month.decision}", highlight=False, markup=False, soft_wrap=True)
