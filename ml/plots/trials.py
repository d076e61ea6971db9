"""The trials of a model's search, from training.<model>_trials."""

import duckdb
from matplotlib.figure import Figure

from ml.plots.style import MODEL, PALE, NothingToDraw, baseline, beside, new_axes
from ml.registry.models import ModelVersion
from ml.registry.reports import metric_of, trials_of
from ml.training.spec import LOWER_IS_BETTER


def trials(connection: duckdb.DuckDBPyConnection, version: ModelVersion) -> Figure:
    """A point for each finished trial of the newest search, in the order in which they finished, and the best so far."""
    rows = trials_of(connection, version)
    if rows is None:
        raise NothingToDraw(f"the release has no table training.{version.model}_trials; the model declares no search")
    finished = sorted((row for row in rows if row["value"] is not None), key=lambda row: row["finished_at"])
    if not finished:
        raise NothingToDraw("no trial is finished")
    finished = [row for row in finished if row["search"] == finished[-1]["search"]]
    metric = finished[-1]["metric"]
    sign = -1 if metric in LOWER_IS_BETTER else 1
    unit = f"{metric.replace('_', ' ')}, validation split"
    figure, axes = new_axes(f"{version.model}: {len(finished)} trials", "trial, by the time it finished", unit)
    so_far: list[float] = []
    for row in finished:
        so_far.append(max([row["value"], *so_far[-1:]], key=lambda value: sign * value))
    places = range(1, len(finished) + 1)
    axes.step(places, so_far, where="post", color=PALE, linewidth=1.6)
    for state, fill in (("pruned", "white"), ("complete", MODEL)):
        chosen = [(place, row["value"]) for place, row in zip(places, finished, strict=True) if row["state"] == state]
        if chosen:
            axes.plot(*zip(*chosen, strict=True), "o", color=MODEL, markersize=4.5, markerfacecolor=fill)
    best = so_far.index(so_far[-1])
    label = f"best: {so_far[-1]:.4f}, {finished[best]['estimator']}"
    beside(axes, label, best + 1, so_far[-1], MODEL, left=best > len(so_far) / 2, up=9 * sign)
    if any(row["state"] == "pruned" for row in finished):
        axes.text(1, 1.02, "○ pruned", transform=axes.transAxes, color=MODEL, ha="right", va="bottom", fontsize=8.5)
    found = metric_of(connection, version, "validation", metric)
    if found and found["baseline"] is not None:
        baseline(axes, found["baseline"], len(finished))
    return figure
