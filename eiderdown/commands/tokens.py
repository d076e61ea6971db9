"""`eiderdown tokens`: who may call a server that others can reach."""

import os
from pathlib import Path
from typing import Annotated

import typer

from eiderdown.output import AsJson, console, print_records
from ml import files
from ml.errors import EiderdownError
from serving.access.tokens import HEADER, SCOPES, Entry, new_token, read_tokens
from serving.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="Who may call: the tokens in the file that EIDERDOWN_TOKENS_FILE names. A server takes a change up within a second.",
)


@app.command()
def new(
    scope: Annotated[list[str], typer.Option(help=f"{', '.join(SCOPES)}; may be given more than once.")],
    name: Annotated[str, typer.Option(help="Who is to use it; one name may have several tokens.")],
) -> None:
    """Make a token and print it, this once: the file keeps only its SHA-256."""
    path = _path()
    entries = read_tokens(path) if path.exists() else []
    token, entry = new_token(scope, name)
    _write(path, [*entries, entry])
    typer.echo(token)


@app.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """The tokens in force: names, scopes, and how their SHA-256 begins."""
    print_records(
        [
            {"name": entry.name, "scopes": sorted(entry.scopes), "sha256": entry.digest.hex()[:12]}
            for entry in read_tokens(_path())
        ],
        as_json,
    )


@app.command()
def revoke(
    name: str,
    sha256: Annotated[
        str, typer.Option(help="Only the token whose SHA-256 begins so; all of the name otherwise.")
    ] = "",
) -> None:
    """Take tokens out of force."""
    path = _path()
    entries = read_tokens(path)
    kept = [entry for entry in entries if entry.name != name or not entry.digest.hex().startswith(sha256)]
    if len(kept) == len(entries):
        raise EiderdownError(f"{path} has no such token of {name!r}; `eiderdown tokens list` shows all.")
    _write(path, kept)
    console.print(f"revoked: {len(entries) - len(kept)}")


def _path() -> Path:
    path = Settings.from_environment().tokens_file
    if not path:
        raise EiderdownError("no tokens file is named; set EIDERDOWN_TOKENS_FILE to where it is, or is to be.")
    return Path(path)


def _write(path: Path, entries: list[Entry]) -> None:
    written = files.aside(path)
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(HEADER + "".join(entry.line() for entry in entries))
    files.adopt(written, path)
