"""`eiderdown experiments`: who gets which model now, what came of it, and an end to it. The warehouse is not opened."""

import json
from typing import Annotated, Any

import typer

from eiderdown.output import AsJson, console, print_records
from ml.experiments.decide import Shown
from ml.experiments.decide import experiments as current_experiments
from ml.experiments.decide import stop as stop_experiment
from ml.experiments.declaration import LEARNING

app = typer.Typer(
    no_args_is_help=True, help="Who gets which model: experiments, what is known of them, and an end to one."
)


@app.command("list")
def list_experiments(as_json: AsJson = False) -> None:
    """The arms of the experiments in the current release, with their weights and what their predictions cost so far."""
    print_records([row for shown in current_experiments() for row in _rows(shown)], as_json)


@app.command()
def stop(
    name: Annotated[str, typer.Argument(help="The experiment's name.")],
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give all requests to the control, at once and for good; another declaration begins anew."""
    stopped = stop_experiment(name, reason)
    if as_json:
        typer.echo(json.dumps({"experiment": name, "status": stopped.status, "reason": stopped.reason}))
        return
    console.print(
        f"{name} {stopped.reason}; the control has all requests", highlight=False, markup=False, soft_wrap=True
    )


def _rows(shown: Shown) -> list[dict[str, Any]]:
    names = {"experiment": shown.name, "model": shown.model, "policy": shown.policy, "status": shown.status}
    if shown.experiment is None or shown.state is None:
        return [names | dict.fromkeys(("arm", "version", "weight", "outcomes", "mean_loss")) | {"reason": shown.reason}]
    rows = []
    # What came of the others is in the warehouse: experiments.experiment_effects.
    is_learning = shown.policy in LEARNING
    for arm, (model, version) in shown.experiment.versions.items():
        sums = shown.state.state["arms"][arm]
        rows.append(
            {
                **names,
                "arm": arm,
                "version": f"{model}@{version}",
                "weight": shown.state.weights[arm],
                "outcomes": sums["outcomes"] if is_learning else None,
                "mean_loss": sums["sum"] / sums["outcomes"] if sums["outcomes"] else None,
                "reason": shown.reason,
            }
        )
    return rows
