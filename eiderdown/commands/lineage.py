"""`eiderdown lineage`: where a column comes from, and who uses it."""

import json
from typing import Annotated, Any

import typer
from rich.tree import Tree

import eiderdown
from eiderdown.output import AsJson, console
from ml.field_types import encode
from ml.registry.catalog import lineage_of
from ml.release.manifest import all_manifests, current_release, releases_folder


def lineage(
    column: Annotated[
        str, typer.Argument(help="Such as features.plane_activity_v2.mean_arrival_delay, or raw.flights.dest.")
    ],
    as_json: AsJson = False,
) -> None:
    """Both directions from a column: what it is made of, and the datasets, models and releases that use it."""
    with eiderdown.connect() as connection:
        found = lineage_of(connection, column)
    releases = _releases(found.users)
    if as_json:
        said = {"upstream": found.upstream, "features": found.features, "users": found.users, "releases": releases}
        typer.echo(json.dumps({"column": column, **encode(said)}))
        return
    tree = Tree(column)
    values = [row for row in found.upstream if row["usage"] != "condition"]
    conditions = [row for row in found.upstream if row["usage"] == "condition"]
    for title, rows in (("made of", values), ("decided by", conditions)):
        branch = tree.add(f"[bold]{title}[/]") if rows else tree
        for row in rows:
            source = " (source)" if row["is_source"] else ""
            branch.add(f"{row['source_relation']}.{row['source_column']}{source}")
    if found.features:
        branch = tree.add("[bold]features[/]")
        for row in found.features:
            branch.add(row["feature"] + (" (decides only)" if row["usage"] == "condition" else ""))
    branch = tree.add("[bold]used by[/]" + ("" if found.users else " nothing"))
    for user in found.users:
        aliases = f" ({', '.join(user['aliases'])})" if user["aliases"] else ""
        branch.add(f"{user['kind']} {user['name']} version {user['version']}{aliases}")
    if releases:
        branch = tree.add("[bold]in releases[/]")
        for release in releases:
            branch.add(
                f"{release['release']}{' (current)' if release['is_current'] else ''}: {', '.join(release['models'])}"
            )
    console.print(tree, highlight=False)


def _releases(users: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The releases on disk that carry a model version which uses the column, newest first."""
    models = {(user["name"], user["version"]) for user in users if user["kind"] == "model"}
    current = current_release(releases_folder())
    manifests, _ = all_manifests(releases_folder())
    carrying = [
        (manifest, [model.name for model in manifest.models if (model.model, model.version) in models])
        for manifest in reversed(manifests)
    ]
    return [
        {"release": manifest.release, "is_current": manifest.release == current, "models": names}
        for manifest, names in carrying
        if names
    ]
