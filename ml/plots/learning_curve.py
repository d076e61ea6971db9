"""What was measured at each iteration of the training, from registry.model_versions."""

import duckdb
import numpy as np
from matplotlib.figure import Figure

from ml.plots.style import GREY, MODEL, PALE, NothingToDraw, baseline, beside, new_axes
from ml.registry.models import ModelVersion
from ml.registry.reports import metric_of

_OURS = {"auc": "auc", "multi_logloss": "log_loss", "binary_logloss": "log_loss", "loss": "log_loss"}
"""What estimators call a metric of the registry."""


def learning_curve(connection: duckdb.DuckDBPyConnection, version: ModelVersion) -> Figure:
    """A line for each split, the best iteration, and the baseline's value of the same metric where it is one of the registry."""
    curves = {name: np.array(values) for name, values in version.learning_curve.items() if values}
    if not curves:
        raise NothingToDraw("the estimator measured nothing at its iterations")
    # '<split> <metric>'; the validation split is the one that training stops by.
    chosen = next((name for name in curves if name.startswith("validation ")), next(iter(curves)))
    metric = chosen.partition(" ")[2]
    figure, axes = new_axes(f"{version.name}: learning curve", "iteration", metric.replace("_", " "))
    for name, values in curves.items():
        if name.partition(" ")[2] == metric:
            axes.plot(range(1, len(values) + 1), values, color=MODEL if name == chosen else PALE, linewidth=1.6)
            beside(axes, name.partition(" ")[0], len(values), values[-1], MODEL if name == chosen else GREY)
    values = curves[chosen]
    best = int(values.argmax() if metric in ("auc", "accuracy") else values.argmin())
    axes.plot(best + 1, values[best], "o", color=MODEL, markersize=5)
    beside(axes, f"best: {values[best]:.4f} at {best + 1}", best + 1, values[best], left=best > len(values) / 2, up=9)
    ours = _OURS.get(metric) if version.task != "regression" else None
    found = metric_of(connection, version, "validation", ours) if ours else None
    if found and found["baseline"] is not None:
        baseline(axes, found["baseline"], len(values))
    axes.margins(x=0.02)
    axes.set_xlim(right=len(values) * 1.12)
    return figure
