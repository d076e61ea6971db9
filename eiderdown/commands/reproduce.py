"""`eiderdown reproduce`: train a recorded version again and compare the artifacts."""

import dataclasses
import json
from typing import Annotated

import typer

from eiderdown.output import AsJson, console
from ml.datasets.versions import kept_versions
from ml.field_types import encode
from ml.registry.models import kept_models
from ml.training.reproduction import EQUAL, IMPOSSIBLE


def reproduce(
    model: str, version: Annotated[str, typer.Argument(help="A version or an alias.")], as_json: AsJson = False
) -> None:
    """Train a version again from its record and its dataset's file; ends with 1 where the artifact is not the same bits."""
    # Here, since it imports what trains.
    from ml.training import again

    recorded = kept_models().find(f"{model}@{version}")
    with console.status(f"Training {recorded.name} again …"):
        done = again.reproduce(recorded, kept_versions())
    if as_json:
        typer.echo(json.dumps(encode(dataclasses.asdict(done))))
    else:
        said = {EQUAL: "the same artifact, bit for bit", IMPOSSIBLE: "could not be trained again"}
        console.print(f"{recorded.name}: {said.get(done.outcome, 'another artifact')}", highlight=False)
        console.print(f"  recorded {done.artifact_sha256}\n  here     {done.found_sha256 or 'none'}", highlight=False)
        for difference in done.differences:
            console.print(f"  {difference}", highlight=False, markup=False, soft_wrap=True)
        if done.outcome not in (EQUAL, IMPOSSIBLE) and not done.differences:
            console.print("  nothing that is recorded differs: the training does not repeat itself on this machine")
    if done.outcome != EQUAL:
        raise typer.Exit(1)
