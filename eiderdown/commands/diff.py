"""`eiderdown diff`: what a build of the working tree would do to the versions that are registered."""

import json

import typer

from eiderdown.output import AsJson, console

_STYLES = {"breaking": "red", "additive": "yellow", "changed": "yellow", "new": "green"}


def diff(as_json: AsJson = False) -> None:
    """Compare the project in this folder with what is registered, without building anything.

    Ends with 1 where a registered version has changed its meaning: a build would stop there.
    """
    # dbt takes seconds to import, which no other command needs.
    from ml.project import ask

    with console.status("dbt compiles the project"):
        lines = ask("eiderdown.diff")
    if as_json:
        typer.echo(json.dumps(lines))
    else:
        for line in lines:
            name = f"{line['name']}_v{line['version']}" if line["version"] else line["name"]
            style = _STYLES.get(line["state"], "dim")
            console.print(f"[{style}]{line['state']:<10}[/] {line['kind']} {name}", highlight=False)
            for label, said in (("", line["what"]), ("from ", line["causes"]), ("used by ", line["used_by"])):
                if said:
                    console.print(f"           {label}{', '.join(said)}", highlight=False, markup=False)
            if line["remedy"]:
                console.print(f"           {line['remedy']}", highlight=False, markup=False)
    if any(line["state"] in ("additive", "breaking") for line in lines):
        raise typer.Exit(1)
