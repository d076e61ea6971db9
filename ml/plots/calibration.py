"""What was scored beside what came, on the test split, from registry.model_calibration."""

import duckdb
import numpy as np
from matplotlib.figure import Figure

from ml.plots.style import GREY, MODEL, NothingToDraw, beside, new_axes, wilson
from ml.registry.models import ModelVersion
from ml.registry.reports import metric_of, test_rows


def calibration(connection: duckdb.DuckDBPyConnection, version: ModelVersion) -> Figure:
    """A point for each bin of scores, of a binary task with the 95 % interval of its share; on the line both are equal."""
    if version.task == "multiclass":
        raise NothingToDraw("the task is multiclass, and the table of bins is of one score a row")
    bins = sorted(test_rows(connection, "model_calibration", version), key=lambda row: row["bin"])
    if not bins:
        raise NothingToDraw("registry.model_calibration has no rows of the test split; build it")
    score, target, count = (
        np.array([row[name] for row in bins]) for name in ("mean_score", "mean_target", "row_count")
    )
    binary = version.task == "binary"
    figure, axes = new_axes(
        f"{version.name}: calibration, test split",
        "mean score of the bin (probability)" if binary else f"mean score of the bin ({version.target})",
        f"share with {version.target}" if binary else f"mean of {version.target}",
        width=4.8,
        height=4.8,
    )
    low, high = wilson(target, count) if binary else (target, target)
    least, most = min(score.min(), low.min()), max(score.max(), high.max())
    room = 0.06 * (most - least)
    ends = (0.0, min(1.0, most + room)) if binary else (least - room, most + room)
    axes.plot(ends, ends, color=GREY, linewidth=0.8)
    place = ends[0] + 0.86 * (ends[1] - ends[0])
    beside(axes, "scores are right", place, place, GREY, left=True, up=6)
    if binary:
        axes.vlines(score, low, high, color=MODEL, linewidth=1.2)
    axes.plot(score, target, "o-", color=MODEL, markersize=4, linewidth=1)
    error = metric_of(connection, version, "test", "calibration_error")
    said = [f"{len(bins)} bins of about {int(np.median(count)):,} rows"]
    if error:
        said.insert(0, f"mean error {error['value']:.3f}")
        if error["low"] is not None:
            said[0] += f" (95 %: {error['low']:.3f} to {error['high']:.3f})"
        if error["baseline"] is not None:
            said.insert(1, f"linear baseline {error['baseline']:.3f}")
    axes.text(0.97, 0.03, "\n".join(said), transform=axes.transAxes, ha="right", va="bottom", fontsize=8.5)
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_aspect("equal")
    return figure
