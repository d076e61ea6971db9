"""`eiderdown watch`: the loop that builds what is new; `eiderdown retrain`: a decision for it, by hand."""

import datetime as dt
import json
import signal
import threading
from contextlib import nullcontext
from typing import Annotated, Any

import typer

from eiderdown.commands.alerts import print_delivered
from eiderdown.output import AsJson, console
from ml.errors import DeclarationError

app = typer.Typer()


@app.command()
def watch(
    once: Annotated[
        bool,
        typer.Option("--once", help="One round, for cron, with the builds that follow; ends with 1 where one failed."),
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 60,
    whole_every: Annotated[float, typer.Option(min=0, help="Hours after which all is built, whatever is new.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Build what new files, new events, decisions and time affect; deliver alerts, and retrain where it is decided.

    Files are read when their size and time have not changed for two seconds. A build that fails leaves the release that is
    served as it is, is an alert at once, and is tried again, less and less often, or as soon as a file has changed. SIGTERM
    and Ctrl-C end the watch after the build that runs. Run it in the folder of the dbt project.
    """
    # dbt's and the registry's modules take long to import, which no other command needs.
    from ml.watching.build import dbt, read_manifest
    from ml.watching.lock import watch_lock
    from ml.watching.watch import Round, Watch, say_round

    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    with watch_lock(), nullcontext() if as_json else console.status("looks for what is new") as status:

        def say(what: str) -> None:
            if status is not None:
                status.update(what)

        watched = Watch(dbt, read_manifest, ending.wait, every, whole_every * 3600, say)
        while True:
            done: Round = watched.round()
            if as_json:
                typer.echo(say_round(done, dt.datetime.now(dt.UTC)))
            else:
                _print(done)
            if once and not done.goes_on:
                raise typer.Exit(1 if done.state == "failed" else 0)
            if not done.goes_on:
                say("looks for what is new")
                ending.wait(every)
            if ending.is_set():
                return


@app.command()
def retrain(
    model: str,
    reason: Annotated[str, typer.Option(help="Why; it stands in registry.model_versions.")] = "asked for by hand",
    as_json: AsJson = False,
) -> None:
    """Decide to train a model anew that waits for decisions (retrain: on_decision); the next build does."""
    from ml.project import declared_models
    from ml.training.declarations import find_spec
    from ml.watching.retraining import ask_by_hand

    with nullcontext() if as_json else console.status("dbt reads the project"):
        spec = find_spec(declared_models(), model)
    if spec.retrain.on != "on_decision":
        raise DeclarationError(
            f"model {model} is trained by each build where what it learns from has changed, and waits for no decision; "
            "declare retrain: on_decision in its config.meta.model if it is to."
        )
    asked = ask_by_hand(model, reason)
    if as_json:
        typer.echo(json.dumps(vars(asked) | {"logged_at": asked.logged_at.isoformat()}))
        return
    console.print(
        f"{model} is trained anew by the next build: dbt build -s {model}+, or eiderdown watch", highlight=False
    )


def _print(done: Any) -> None:
    if done.state != "idle":
        what = f" {', '.join(done.selection) or 'all'} in {done.seconds:.1f} s" if done.state != "waiting" else ""
        anew = f", to train {', '.join(done.retrain)} anew" if done.retrain else ""
        said = f": {done.text}" if done.text else ""
        line = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} {done.state}{what}{anew}{said}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    print_delivered([one for one in done.delivered if one.count or one.left])
