"""`eiderdown predict`: ask a running server."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from eiderdown.output import AsJson, console
from ml.errors import EiderdownError


def predict(
    model: str,
    instance: Annotated[list[str], typer.Option(help="A JSON object, or @FILE; may be given more than once.")],
    url: Annotated[str, typer.Option(help="Where the server listens.")] = "http://127.0.0.1:8000",
    version: Annotated[int | None, typer.Option(help="A version in place of the champion.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a running server for predictions, with the token in EIDERDOWN_TOKEN where there is one."""
    # Here, since it takes long to import, which no other command needs.
    import httpx

    try:
        instances = [json.loads(Path(text[1:]).read_text() if text.startswith("@") else text) for text in instance]
    except (ValueError, OSError) as error:
        raise EiderdownError(f"--instance: not a JSON object ({error})") from None
    body = {"instances": instances} | ({"version": version} if version else {})
    try:
        answer = httpx.post(f"{url}/predict/{model}", json=body, headers=_authorization(), timeout=30)
    except httpx.ConnectError:
        raise EiderdownError(f"no server answers at {url}; start one with `eiderdown serve`.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise EiderdownError(f"--url {url}: {error}") from None
    if answer.is_error:
        raise EiderdownError(f"the server answered {answer.status_code}: {answer.text}")
    if as_json:
        typer.echo(answer.text)
        return
    answered = answer.json()
    console.print(f"{answered['model']} version {answered['version']}, release {answered['release']}")
    for prediction in answered["predictions"]:
        label = f"  label {prediction['label']}" if "label" in prediction else ""
        console.print(f"  score {_show_score(prediction['score'])}{label}  {prediction['status']}")


def _show_score(score: float | dict[str, float]) -> str:
    if isinstance(score, dict):
        return ", ".join(f"{name} {value:.4f}" for name, value in score.items())
    return f"{score:.4f}"


def _authorization() -> dict[str, str]:
    token = os.environ.get("EIDERDOWN_TOKEN")
    return {"authorization": f"Bearer {token}"} if token else {}
