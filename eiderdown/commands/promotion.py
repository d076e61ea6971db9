"""`eiderdown promote`, `rollback` and `describe`: decisions about versions of models, which take effect at once."""

import dataclasses
import json
from typing import Annotated

import typer

from eiderdown.output import AsJson, console
from ml.promotion.champion import CHAMPION
from ml.promotion.decide import Decided, roll_back
from ml.promotion.decide import describe as describe_version
from ml.promotion.decide import promote as promote_version

app = typer.Typer()
Reason = Annotated[str | None, typer.Option(help="Why; it stands in registry.model_aliases.")]


@app.command()
def promote(
    model: str,
    version: Annotated[int, typer.Argument(min=1)],
    alias: Annotated[str, typer.Option(help="What the version is to be called.")] = CHAMPION,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", help="Another environment: its home folder, or a name that EIDERDOWN_HOME_<NAME> holds."
        ),
    ] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion, or give it another alias; servers take it up within their poll interval.

    With --from the version is brought over from another environment, with the dataset version that it was trained on.
    """
    if source is None:
        _say(promote_version(model, version, alias, reason), as_json)
        return
    from ml.promotion.environments import bring_over

    with console.status(f"Bringing {model} version {version} over …"):
        decided = bring_over(model, version, source, alias, reason)
    _say(decided, as_json)


@app.command()
def rollback(
    model: str,
    to: Annotated[
        int | None,
        typer.Option(min=1, help="A version that was champion; the last one before that was not rolled back."),
    ] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Give the champion's place back; the version that loses it is not promoted again but by name."""
    _say(roll_back(model, to, reason), as_json)


@app.command()
def describe(
    model: str,
    version: Annotated[int, typer.Argument(min=1)],
    description: Annotated[str | None, typer.Option(help="In a sentence.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="May be given more than once; replaces those there were.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a version is, for registry.version_notes."""
    _say(describe_version(model, version, description, tag), as_json)


def _say(decided: Decided, as_json: bool) -> None:
    decision = decided.decision
    if as_json:
        hidden = ("model_record", "dataset_record")
        said = {name: value for name, value in dataclasses.asdict(decision).items() if name not in hidden}
        typer.echo(json.dumps(said | {"decided_at": decision.decided_at.isoformat(), "release": decided.release}))
        return
    name = f"{decision.model} version {decision.version}"
    if decision.alias is None:
        console.print(f"{name} is described, in release {decided.release}", highlight=False, soft_wrap=True)
        return
    name += f" ({decision.origin})" if decision.origin else ""
    before = f", in the place of version {decision.previous}" if decision.previous else ""
    console.print(
        f"{name} is the {decision.alias}{before}, in release {decided.release}", highlight=False, soft_wrap=True
    )
