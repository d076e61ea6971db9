"""`eiderdown alerts`: what is wrong now, who has seen it, and that people are told. The warehouse is not opened."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from eiderdown.output import AsJson, console, print_rows
from ml.alerts.deliver import Delivered
from ml.alerts.deliver import deliver as deliver_alerts
from ml.alerts.state import Alert, read_alerts
from ml.alerts.state import acknowledge as acknowledge_alert

app = typer.Typer(no_args_is_help=True, help="What is wrong now, who has seen it, and that people are told.")
Name = Annotated[str, typer.Argument(metavar="ALERT", help="Its name, or the beginning of it.")]
COLUMNS = ("alert", "severity", "status", "subject", "text", "opened_at", "last_seen_at")


@app.command("list")
def list_alerts(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are resolved.")] = False,
    as_json: AsJson = False,
) -> None:
    """The alerts that are open or acknowledged, the oldest first."""
    found = [alert for alert in read_alerts().alerts if everything or alert["status"] != "resolved"]
    if as_json:
        typer.echo(json.dumps(found))
        return
    if not found:
        console.print("no alert is open")
        return
    columns = [*COLUMNS, *(["resolved_at"] if everything else [])]
    shown = [{**alert, "alert": alert["alert"][:8]} for alert in found]
    print_rows(columns, [[_short(alert[column]) for column in columns] for alert in shown], as_json=False)


@app.command()
def show(alert: Name, as_json: AsJson = False) -> None:
    """One alert, with the rows of monitoring that it comes from."""
    _print(read_alerts().find(alert), as_json)


@app.command()
def acknowledge(
    alert: Name,
    by: Annotated[str | None, typer.Option(help="Who has seen it; you, if not given.")] = None,
    note: Annotated[str | None, typer.Option(help="What is known of it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say that somebody has seen an alert. It stays until what it is about has gone."""
    _print(acknowledge_alert(alert, by, note), as_json)


@app.command()
def deliver(as_json: AsJson = False) -> None:
    """Send what opened and what was resolved to the places that the rules name, where they have not had it.

    Ends with 1 where a place did not take all; the rest is sent the next time.
    """
    delivered = deliver_alerts(read_alerts())
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in delivered]))
    else:
        print_delivered(delivered)
    if any(one.left for one in delivered):
        raise typer.Exit(1)


def print_delivered(delivered: list[Delivered], to: Console = console) -> None:
    """What came of a delivery, a line for each place."""
    for one in delivered:
        left = f", {one.left} left for the next time" if one.left else ""
        said = f": {one.problem}" if one.problem else ""
        to.print(f"{one.place}: {one.count} delivered{left}{said}", highlight=False, markup=False, soft_wrap=True)


def _print(alert: Alert, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(alert))
        return
    for name, value in alert.items():
        said = json.dumps(value, indent=2) if name == "evidence" else value
        if said is not None:
            console.print(f"{name:<16} {said}", highlight=False, markup=False, soft_wrap=True)


def _short(value: object) -> object:
    """A time without microseconds, as tables show it."""
    text = str(value)
    return text[:19].replace("T", " ") if text[4:5] == "-" and text[13:14] == ":" else value
