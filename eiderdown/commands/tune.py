"""`eiderdown tune`: a search for a model's parameters, while dbt may run."""

import json
from functools import partial
from typing import Annotated

import typer
from rich.live import Live

from eiderdown.output import AsJson, console
from ml.datasets.versions import find_version, kept_versions
from ml.errors import DeclarationError
from ml.tuning.show import describe, show_parameters


def tune(
    model: str,
    trials: Annotated[int | None, typer.Option(min=1, help="In all, in the place of the declared budget.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="In all, in the place of the declared budget.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Begin anew, on the latest version of the dataset.")] = False,
    as_json: AsJson = False,
) -> None:
    """Search for the parameters of a model that declares `tune` or `automl`; the next dbt run trains with the best.

    The warehouse is not opened, so dbt may run meanwhile. Stopped at any time, it goes on where it was when it is started again.
    """
    # dbt and Optuna take long to import, which no other command needs.
    from ml.project import declared_models
    from ml.training.declarations import find_spec
    from ml.tuning.search import Budget, Progress, search

    with console.status("dbt reads the project"):
        spec = find_spec(declared_models(), model)
    if spec.search is None:
        raise DeclarationError(
            f"model {model} declares no search; add tune: {{trials: 30}} or automl: true to its config.meta.model."
        )
    budget = Budget.of(spec.search) if trials is None and minutes is None else Budget(trials, minutes)
    versions = kept_versions()
    live = Live(console=console, transient=True)

    def watch(progress: Progress) -> None:
        if as_json:
            return
        live.update(describe(progress), refresh=True)
        if (latest := progress.latest) is not None:
            said = f"{latest.metric} {latest.value:.6g}" if latest.value is not None else latest.reason
            mark = "*" if latest is progress.best else " "
            line = f"{mark} {latest.state:<9}{said:<24} {latest.seconds:6.1f} s  {latest.estimator}"
            console.print(line + show_parameters(latest.params), highlight=False, markup=False, soft_wrap=True)

    with live:
        progress = search(spec, partial(find_version, versions, spec.dataset), budget, watch, again)
    best = progress.best
    if as_json:
        found = (
            {"estimator": best.estimator, "params": best.params, "metric": best.metric, "value": best.value}
            if best
            else None
        )
        typer.echo(json.dumps({"model": model, "search": progress.search, "trials": progress.trials, "best": found}))
        return
    console.print(describe(progress), highlight=False, markup=False, soft_wrap=True)
    console.print(f"dbt run trains {model} with it.", highlight=False)
