"""The ROC curve on the test split, from registry.model_thresholds."""

import duckdb
from matplotlib.figure import Figure

from ml.plots.style import GREY, MODEL, NothingToDraw, beside, new_axes
from ml.registry.models import ModelVersion
from ml.registry.reports import metric_of, test_rows


def roc(connection: duckdb.DuckDBPyConnection, version: ModelVersion) -> Figure:
    """The curve with its area, the operating point of the threshold, and the line of a guess."""
    if version.task != "binary":
        raise NothingToDraw(f"the task is {version.task}, and a curve by threshold is of two classes")
    points = sorted(test_rows(connection, "model_thresholds", version), key=lambda row: -row["threshold"])
    if not points or any(row["false_positive_rate"] is None for row in points):
        raise NothingToDraw(
            "registry.model_thresholds has no rates of the test split; build it, or the split has one class"
        )
    figure, axes = new_axes(
        f"{version.name}: ROC, test split",
        "false positive rate (share of negatives)",
        "true positive rate (share of positives)",
        width=4.8,
        height=4.8,
    )
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    beside(axes, "a guess, AUC 0.5", 0.62, 0.55, GREY)
    rates = [(0.0, 0.0), *((row["false_positive_rate"], row["recall"]) for row in points), (1.0, 1.0)]
    axes.plot(*zip(*rates, strict=True), color=MODEL, linewidth=1.8)
    auc = metric_of(connection, version, "test", "auc")
    if auc:
        interval = f"\n95 %: {auc['low']:.3f} to {auc['high']:.3f}" if auc["low"] is not None else ""
        baseline = f"\nlinear baseline {auc['baseline']:.3f}" if auc["baseline"] is not None else ""
        axes.text(0.97, 0.06, f"AUC {auc['value']:.3f}{interval}", color=MODEL, ha="right", va="bottom", fontsize=9)
        axes.text(0.97, 0.05, baseline.strip(), color=GREY, ha="right", va="top", fontsize=9)
    threshold = version.signature.threshold
    if threshold is not None:
        chosen = min(points, key=lambda row: abs(row["threshold"] - threshold))
        axes.plot(chosen["false_positive_rate"], chosen["recall"], "o", color=MODEL, markersize=5)
        beside(axes, f"threshold {threshold:.3f}", chosen["false_positive_rate"], chosen["recall"], up=-8)
    axes.set_xlim(-0.005, 1.005)
    axes.set_ylim(-0.005, 1.005)
    axes.set_aspect("equal")
    return figure
