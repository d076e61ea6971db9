"""All pictures of a version, as files."""

from pathlib import Path

import duckdb

from ml import files
from ml.errors import DeclarationError
from ml.registry.models import ModelVersion

PLOTS = ("roc", "calibration", "importance", "learning_curve", "trials")


def draw(
    connection: duckdb.DuckDBPyConnection, version: ModelVersion, folder: Path, picture: str
) -> tuple[list[Path], dict[str, str]]:
    """Write what can be drawn of a version, `<model>_v<version>_<plot>.<svg or png>` each, and replace what is there.

    connection: to a release; picture: 'svg' or 'png'. Returns the files, and of each plot that cannot be drawn why.
    Raises DeclarationError where matplotlib is missing.
    """
    try:
        from ml.plots.calibration import calibration
        from ml.plots.importance import importance
        from ml.plots.learning_curve import learning_curve
        from ml.plots.roc import roc
        from ml.plots.style import NothingToDraw, render
        from ml.plots.trials import trials
    except ModuleNotFoundError as error:
        raise DeclarationError(f"the package {error.name} is not installed: pip install 'eiderdown[plots]'.") from None
    written: list[Path] = []
    left_out: dict[str, str] = {}
    for name, plot in zip(PLOTS, (roc, calibration, importance, learning_curve, trials), strict=True):
        try:
            content = render(plot(connection, version), picture)
        except NothingToDraw as reason:
            left_out[name.replace("_", " ")] = str(reason)
            continue
        path = folder / f"{version.model}_v{version.version}_{name}.{picture}"
        folder.mkdir(parents=True, exist_ok=True)
        files.write_whole(path, content)
        written.append(path)
    return written, left_out
