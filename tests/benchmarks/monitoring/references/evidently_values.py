"""Writes evidently.json: Evidently's values for each column of columns.csv, and for the counts below.

python evidently_values.py FOLDER     (evidently 0.7.23 with pandas 2.3.3)
"""

import json
import sys
import warnings
from pathlib import Path

import evidently
import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType

warnings.filterwarnings("ignore")

BOTH = ["psi", "jensenshannon", "kl_div", "hellinger", "chisquare", "z"]
NUMBERS = ["psi", "jensenshannon", "kl_div", "hellinger", "ks", "wasserstein"]
COUNTED = {
    "rare_category": ({"a": 30_000, "b": 1}, {"a": 20_000, "b": 400, "c": 1}),
    "rare_and_gone": ({"a": 30_000, "b": 1, "d": 3}, {"a": 20_000, "c": 1}),
    "smallest_share_at_the_limit": ({"a": 9_999, "b": 1}, {"a": 9_998, "c": 2}),
    "rare_number": (
        {0: 40_000, **{10 + one: 1 for one in range(30)}},
        {0: 30_000, **{25 + one: 2 for one in range(30)}},
    ),
}
"""Where the smallest share is at most 0.0001, the rule for zero shares is another one. {value: rows} of each side."""


def values(reference: pd.Series, current: pd.Series) -> dict[str, float | None]:
    """By name of the test, after the cleaning that data_drift.py does; null is what is not finite."""
    kind = ColumnType.Numerical if pd.api.types.is_numeric_dtype(reference) else ColumnType.Categorical
    found = {}
    for name in NUMBERS if kind is ColumnType.Numerical else BOTH:
        if name == "z" and max(reference.nunique(), current.nunique()) > 2:
            continue
        sides = [side.replace([-np.inf, np.inf], np.nan).dropna() for side in (reference, current)]
        score = float(get_stattest(*sides, kind, name)(*sides, kind, None).drift_score)
        found[name] = score if np.isfinite(score) else None
    return found


def expanded(counts: dict) -> pd.Series:
    return pd.Series(np.repeat(list(counts), list(counts.values())))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    table = pd.read_csv(folder / "columns.csv", keep_default_na=False, na_values=[""])
    reference, current = (table[table.side == side] for side in ("reference", "current"))
    written = {
        "header": f"Evidently {evidently.__version__}, by tests/benchmarks/monitoring/references/evidently_values.py: its test "
        "functions by the name that a report takes, on the columns of columns.csv without nulls. jensenshannon is the "
        "distance with natural logarithm, wasserstein is divided by the reference's standard deviation, ks, chisquare and z "
        "are p-values. counted: {value: rows} of each side; the values of a rare_number are numbers.",
        "columns": {name: values(reference[name], current[name]) for name in table.columns[1:]},
        "counted": {
            name: {"reference": old, "current": new, "values": values(expanded(old), expanded(new))}
            for name, (old, new) in COUNTED.items()
        },
    }
    (folder / "evidently.json").write_text(json.dumps(written, indent=1) + "\n")
