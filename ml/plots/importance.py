"""How much each feature counts, from registry.feature_importance."""

import duckdb
from matplotlib.figure import Figure

from ml.plots.style import GREY, MODEL, PALE, NothingToDraw, add_axes, new_axes
from ml.registry.models import ModelVersion
from ml.registry.reports import importance_of

MOST = 20
"""Features that are drawn; the table has all."""


def importance(connection: duckdb.DuckDBPyConnection, version: ModelVersion) -> Figure:
    """The features with the greatest contributions: a bar for that, and beside it one for what shuffling costs."""
    by_method: dict[str, dict[str, float]] = {}
    for row in importance_of(connection, version):
        by_method.setdefault(row["method"], {})[row["feature"]] = row["value"]
    contribution, permutation = (by_method.get(name, {}) for name in ("contribution", "permutation"))
    if not contribution:
        raise NothingToDraw("registry.feature_importance has no contributions of the version; build it")
    shown = list(contribution)[:MOST]
    unit = version.target if version.task == "regression" else "log-odds"
    loss = "squared error" if version.task == "regression" else "log loss"
    more = f", {len(shown)} of {len(contribution)} features" if len(shown) < len(contribution) else ""
    figure, axes = new_axes(
        f"{version.name}: importance{more}",
        f"mean absolute contribution ({unit})",
        "",
        width=7.6,
        height=1 + 0.2 * len(shown),
        panels=2 if permutation else 1,
    )
    places = list(range(len(shown), 0, -1))
    axes.barh(places, [contribution[name] for name in shown], color=MODEL, height=0.62)
    axes.set_yticks(places, shown)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(0.3, len(shown) + 0.7)
    if permutation:
        other = add_axes(figure, axes, f"gain in {loss} when it is shuffled")
        other.barh(places, [permutation[name] for name in shown], color=PALE, height=0.62)
        other.axvline(0, color=GREY, linewidth=0.8)
    return figure
