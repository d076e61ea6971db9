"""How every picture looks: one hue for the model, grey for what it is compared with, labels beside what they name."""

import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MODEL, PALE, GREY, INK = "#1f5f8b", "#9fc3da", "#8a8a8a", "#2b2b2b"
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    # Text stays text, and the same data gives the same file.
    "svg.fonttype": "none",
    "svg.hashsalt": "eiderdown",
}


class NothingToDraw(Exception):
    """What a picture is made of is not there; the text says what and why."""


def new_axes(
    title: str, x: str, y: str, width: float = 5.4, height: float = 4.2, panels: int = 1
) -> tuple[Figure, Axes]:
    """An empty picture. title: what it shows; x, y: the axes' titles, with units; width, height: in inches.

    panels: 2 leaves room for `add_axes`.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot(1, panels, 1)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def add_axes(figure: Figure, axes: Axes, x: str) -> Axes:
    """A second panel on the right of the first, with the same vertical axis, whose labels stay on the left."""
    with matplotlib.rc_context(_STYLE):
        added = figure.add_subplot(1, 2, 2, sharey=axes)
        added.set_xlabel(x)
        added.spines[["top", "right", "left"]].set_visible(False)
        added.tick_params(axis="y", length=0, labelleft=False)
    return added


def beside(axes: Axes, text: str, x: float, y: float, color: str = INK, left: bool = False, up: float = 0) -> None:
    """A label beside a point of the data, on its right or left; up: points that it is raised by."""
    axes.annotate(
        text,
        (x, y),
        xytext=(-6 if left else 6, up),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        color=color,
        fontsize=8.5,
    )


def baseline(axes: Axes, value: float, right: float) -> None:
    """The linear baseline's value as a thin line, labelled at its right end."""
    axes.axhline(value, color=GREY, linewidth=0.8)
    beside(axes, f"linear baseline {value:.4f}", right, value, GREY, left=True, up=-8)


def render(figure: Figure, picture: str) -> bytes:
    """A picture as a file: 'svg', or 'png' with 150 dots an inch."""
    written = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(written, format=picture, dpi=150, metadata={"Date": None} if picture == "svg" else {})
    return written.getvalue()


def wilson(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of shares of so many rows (Wilson 1927): low, high."""
    z = 1.959963984540054
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return middle - half, middle + half
