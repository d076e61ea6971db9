"""Writes the small data sets that the peers' reference numbers are of. It needs numpy alone, and no peer.

    python made_up.py FOLDER

`columns.csv`: `side` (reference, current) and columns of every shape; an empty field is null. `scores.csv`: `period`
(reference, analysis), the label, three scores of it, each with its decision at 0.5.
"""

import csv
import sys
from pathlib import Path

import numpy as np

REFERENCE, CURRENT = 500, 400
SCORED = 600


def columns(side: str) -> dict[str, list]:
    """The columns of a side; what moves says its name."""
    moved = side == "current"
    draw = np.random.default_rng(20131 if moved else 2013)
    rows = CURRENT if moved else REFERENCE

    def choice(weights: dict[str, float]) -> list[str]:
        return list(draw.choice(list(weights), rows, p=list(weights.values())))

    number = {
        "same_distribution": draw.normal(10, 2, rows),
        "moved_mean": draw.normal(10.5 if moved else 10, 2, rows),
        "tied": np.round(draw.normal(0.5 if moved else 0, 10, rows) * 2) / 2,
        "skewed": draw.lognormal(1.2 if moved else 1, 1, rows),
        "mostly_zero": np.where(draw.random(rows) < (0.6 if moved else 0.8), 0, draw.exponential(5, rows)),
        "constant": np.full(rows, 3.0),
        "constant_moved": np.full(rows, 4.0 if moved else 3.0),
        "outside": draw.uniform(200, 300, rows) if moved else draw.uniform(0, 100, rows),
        "tiny_scale": draw.normal(1.00002 if moved else 1, 0.0001, rows),
    }
    found: dict[str, list] = {name: [repr(float(round(one, 6))) for one in values] for name, values in number.items()}
    found["whole"] = [int(one) for one in draw.poisson(43 if moved else 40, rows)]
    found["few_whole"] = [int(one) for one in draw.choice(5, rows, p=[0.1, 0.2, 0.4, 0.2, 0.1])]
    found["missing_more"] = [
        "" if gone else repr(float(round(one, 6)))
        for one, gone in zip(draw.normal(0, 1, rows), draw.random(rows) < (0.25 if moved else 0.1), strict=True)
    ]
    found["category"] = choice({"a": 0.45, "b": 0.3, "c": 0.25} if moved else {"a": 0.5, "b": 0.3, "c": 0.2})
    found["category_new"] = choice({"a": 0.5, "b": 0.3, "new": 0.2} if moved else {"a": 0.6, "b": 0.4})
    found["category_gone"] = choice({"a": 0.6, "b": 0.4} if moved else {"a": 0.5, "b": 0.3, "gone": 0.2})
    found["two_values"] = choice({"yes": 0.35, "no": 0.65} if moved else {"yes": 0.3, "no": 0.7})
    found["one_value"] = ["only"] * rows
    found["category_missing"] = choice({"a": 0.5, "b": 0.25, "": 0.25} if moved else {"a": 0.6, "b": 0.3, "": 0.1})
    return found


def scores(period: str) -> dict[str, list]:
    """Labels drawn by a probability; the analysis has other cases, with the same meaning of the probability."""
    draw = np.random.default_rng(7 if period == "reference" else 8)
    probability = draw.beta(1, 2.5, SCORED) if period == "reference" else draw.beta(1.3, 2, SCORED)
    label = (draw.random(SCORED) < probability).astype(int)
    scored = {
        "score": np.round(probability, 9),
        "squared_score": np.round(probability**2, 9),
        "tied_score": np.round(np.sqrt(probability), 2),
    }
    found: dict[str, list] = {"label": label.tolist()}
    for name, values in scored.items():
        if name != "tied_score" and len(set(values)) < SCORED:
            raise ValueError(f"{name}: two rows have the same score, and a rank would depend on the sort.")
        found[name] = [repr(float(one)) for one in values]
        found[f"{name}_decision"] = (values >= 0.5).astype(int).tolist()
    return found


def write(path: Path, first: str, parts: dict[str, dict[str, list]]) -> None:
    """One CSV file of all parts, with a column in front that names the part."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for place, (name, found) in enumerate(parts.items()):
            if place == 0:
                writer.writerow([first, *found])
            writer.writerows([name, *row] for row in zip(*found.values(), strict=True))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write(folder / "columns.csv", "side", {side: columns(side) for side in ("reference", "current")})
    write(folder / "scores.csv", "period", {period: scores(period) for period in ("reference", "analysis")})
