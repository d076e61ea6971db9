"""`eiderdown features`: find and see what is registered, from the current release."""

from typing import Any

import typer

import eiderdown
from eiderdown.output import AsJson, console, print_records
from ml.registry import catalog

app = typer.Typer(no_args_is_help=True, help="Find and see registered features.")


@app.command()
def search(text: str, as_json: AsJson = False) -> None:
    """Features whose name, view, entity, owner, tags or description holds TEXT."""
    with eiderdown.connect() as connection:
        found = catalog.find_features(connection, text)
    if as_json:
        print_records(found, as_json)
        return
    if not found:
        typer.echo(f"no feature holds '{text}'; `eiderdown features list` shows the views.", err=True)
    for one in found:
        used_by = f", used by {', '.join(one['used_by'])}" if one["used_by"] else ""
        console.print(
            f"[bold]{one['feature']}[/]  {one['type']} by {one['entity']}, {one['status']}{used_by}", highlight=False
        )
        if one["description"]:
            console.print(f"    {one['description']}", highlight=False, markup=False)


@app.command("list")
def list_views(as_json: AsJson = False) -> None:
    """The versions of all feature views, with how fresh they are."""
    with eiderdown.connect() as connection:
        print_records(catalog.feature_views(connection), as_json)


@app.command()
def show(view: str, as_json: AsJson = False) -> None:
    """One version of a feature view, such as plane_activity_v2, with statistics of each feature."""
    with eiderdown.connect() as connection:
        found, columns = catalog.feature_view(connection, view)
    if as_json:
        print_records([{**found, "features": columns}], as_json)
        return
    facts: list[dict[str, Any]] = [
        {"field": name, "value": value} for name, value in found.items() if value not in (None, [])
    ]
    print_records(facts, as_json)
    print_records(columns, as_json)
