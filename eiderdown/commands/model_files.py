"""`eiderdown models plot` and `export`: what a version looks like, and the version itself, as files."""

import enum
from pathlib import Path
from typing import Annotated

import typer

import eiderdown
from eiderdown.output import console
from ml.datasets.versions import find_version, kept_versions
from ml.registry.models import kept_models

Name = Annotated[str, typer.Argument(help="<model>, which is its champion, <model>@<version> or <model>@<alias>.")]


class Picture(enum.StrEnum):
    """What a plot can be written as."""

    svg = "svg"
    png = "png"


class Format(enum.StrEnum):
    """What a version can be written as."""

    mlflow = "mlflow"
    onnx = "onnx"


def plot(
    model: Name,
    to: Annotated[Path, typer.Option(help="A folder; it is made where it is not there.")],
    picture: Annotated[Picture, typer.Option("--format")] = Picture.svg,
) -> None:
    """Draw a version: ROC, calibration, importance, learning curve, trials; what cannot be drawn is said."""
    # Here, since what draws takes long to import.
    from ml.plots.draw import draw

    version = kept_models().find(model)
    with eiderdown.connect() as connection:
        written, left_out = draw(connection, version, to, str(picture))
    for path in written:
        console.print(str(path), highlight=False, soft_wrap=True)
    for name, reason in left_out.items():
        console.print(f"no plot of {name}: {reason}", highlight=False, soft_wrap=True)


def export(
    model: Name,
    to: Annotated[Path, typer.Option(help="The file of an ONNX model, or the folder of an MLflow model.")],
    kind: Annotated[Format, typer.Option("--format")],
) -> None:
    """Write a version as an ONNX file or an MLflow model, whole or not at all, for these tools' own loaders."""
    version = kept_models().find(model)
    if kind == Format.mlflow:
        from ml.export.mlflow_format import write_mlflow

        write_mlflow(version, to)
        console.print(f"{to}: {version.name} for mlflow.pyfunc.load_model", highlight=False, soft_wrap=True)
        return
    from ml.export.onnx_model import write_onnx

    with console.status(f"Comparing {to} with {version.name} …"):
        found = write_onnx(version, find_version(kept_versions(), version.dataset, version.dataset_version), to)
    console.print(
        f"{to}: {version.name}; its scores differ from ours by at most {found:.1e}", highlight=False, soft_wrap=True
    )
