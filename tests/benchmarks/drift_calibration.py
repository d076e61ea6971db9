"""False alarms without drift at several sizes, and windows until a drift of a size is alarmed.

Made-up columns: 14 numbers (normal, log-normal, exponential, with ties) and 6 categories (2 to 50 values). A reference of 10,000
rows, windows of 100, 1,000 and 10,000, judged by the macros of monitoring.drift with their own tolerances.

    python tests/benchmarks/drift_calibration.py --windows 1000
"""

import argparse
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from ml.drift import numbers, probabilities
from tests.rendered import package

MACROS = package("drift/*", "features/fingerprint", "features/view_statistics", "statistics/statistics")
SIZES = (100, 1000, 10_000)
REFERENCE_ROWS = 10_000
NUMBERS, CATEGORIES = 14, (2, 3, 5, 10, 20, 50)
SHIFTS = (0.05, 0.1, 0.2, 0.5, 1.0)
SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
LONGEST_DELAY = 6
COLUMNS = {f"number_{place}": "double" for place in range(NUMBERS)} | {
    f"category_{count}": "varchar" for count in CATEGORIES
}


def rows(random: np.random.Generator, count: int, shift: float = 0.0, share: float = 0.0) -> dict[str, np.ndarray]:
    """Columns of `count` rows.

    shift: of the normal number behind each number, in standard deviations; share: of rows that get the rarest category.
    """
    made = (lambda x: x, np.exp, lambda x: -np.log1p(-_normal_share(x)), np.round)
    columns: dict[str, np.ndarray] = {
        f"number_{place}": made[place % len(made)](random.normal(size=count) + shift) for place in range(NUMBERS)
    }
    for values in CATEGORIES:
        weights = 1 / np.arange(1, values + 1)
        drawn = random.choice(values, size=count, p=weights / weights.sum())
        # The rarest one gains what the others lose.
        columns[f"category_{values}"] = np.where(random.random(count) < share, values - 1, drawn).astype(str)
    return columns


def _normal_share(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.8 * x)) * (1 - 1e-12)


def judged(
    connection: duckdb.DuckDBPyConnection,
    reference: dict[str, np.ndarray],
    windows: list[dict[str, np.ndarray]],
    names: dict[str, str],
) -> list[tuple[Any, ...]]:
    """(window, feature, is_beyond) of what decides; feature names of `names`."""
    held = {"window_at": np.repeat(np.arange(len(windows)), [len(next(iter(one.values()))) for one in windows])}
    for name in names:
        held[name] = np.concatenate([one[name] for one in windows])
    connection.register("current_rows", pa.table(held))
    connection.register("reference_once", pa.table({name: reference[name] for name in names}))
    limits = MACROS.drift_rules(names, {})
    each = {"window_at": f"select unnest(range({len(windows)})) as window_at"}
    return connection.execute(
        f"with rules (feature, method, tolerance, decides) as ({limits}), "
        f"measured as materialized ({MACROS.drift_between('reference_once', 'current_rows', names, [], each)}), "
        f"found as ({MACROS.judged_drift('measured', 'rules', ['window_at'])}) "
        "select window_at, feature, is_beyond, adjusted_p_value <= 0.05 as is_significant from found "
        "where adjusted_p_value is not null order by all"
    ).fetchall()


def false_alarms(
    connection: duckdb.DuckDBPyConnection, size: int, count: int, batch: int
) -> tuple[float, float, float]:
    """The shares of windows with any significant p after correction, any is_beyond and any is_drifted, without drift."""
    random = np.random.default_rng(size)
    significant, beyond, drifted, done = 0, 0, 0, 0
    while done < count:
        # A new reference for each series of windows, since one that is unlike its population would count in all of them.
        reference = rows(random, REFERENCE_ROWS)
        found = judged(connection, reference, [rows(random, size) for _ in range(batch)], COLUMNS)
        flagged: dict[int, set[str]] = {window: set() for window in range(batch)}
        for window, feature, is_beyond, _ in found:
            if is_beyond:
                flagged[window].add(feature)
        significant += len({window for window, _, _, is_significant in found if is_significant})
        beyond += sum(bool(features) for features in flagged.values())
        drifted += sum(bool(flagged[window] & flagged[window - 1]) for window in range(1, batch))
        done += batch
    return significant / done, beyond / done, drifted / done


def delay(connection: duckdb.DuckDBPyConnection, size: int, column: str, repeats: int, **change: float) -> str:
    """The mean number of windows until is_drifted, and in how many of the repeats it came within LONGEST_DELAY."""
    random = np.random.default_rng(size)
    delays = []
    for _ in range(repeats):
        windows = [rows(random, size, **change) for _ in range(LONGEST_DELAY)]
        found = judged(connection, rows(random, REFERENCE_ROWS), windows, {column: COLUMNS[column]})
        beyond = dict.fromkeys(range(LONGEST_DELAY), False)
        for window, _, is_beyond, _ in found:
            beyond[window] |= is_beyond
        agreed = [window + 1 for window in range(1, LONGEST_DELAY) if beyond[window] and beyond[window - 1]]
        delays += agreed[:1]
    return f"{np.mean(delays):.1f} ({len(delays) / repeats:.0%})" if delays else "-"


def main() -> None:
    """Print the two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=1000, help="windows of each size, without drift")
    parser.add_argument("--repeats", type=int, default=20, help="series of windows for each drift")
    parser.add_argument("--batch", type=int, default=20, help="windows that are compared with one reference")
    chosen = parser.parse_args()
    connection = duckdb.connect()
    connection.execute("set threads = 2; set memory_limit = '2GB'")
    probabilities.register(connection)
    numbers.register(connection)
    alarms = Table(title=f"No drift: {chosen.windows} windows of each size, 20 features; the stated level is 5 %")
    for name in ("rows a window", "any significant", "any is_beyond", "any is_drifted"):
        alarms.add_column(name, justify="right")
    for size in SIZES:
        shares = false_alarms(connection, size, chosen.windows, chosen.batch)
        alarms.add_row(f"{size:,}", *(f"{share:.2%}" for share in shares))
    Console().print(alarms)
    delays = Table(title="Windows until is_drifted (share of series that alarm within six); two is the least")
    for name in ("drift", *(f"{size:,} rows" for size in SIZES)):
        delays.add_column(name, justify="right")
    for shift in SHIFTS:
        delays.add_row(
            f"{shift} standard deviations",
            *(delay(connection, size, "number_0", chosen.repeats, shift=shift) for size in SIZES),
        )
    for share in SHARES:
        delays.add_row(
            f"{share:.0%} of rows to another value",
            *(delay(connection, size, "category_10", chosen.repeats, share=share) for size in SIZES),
        )
    Console().print(delays)


if __name__ == "__main__":
    main()
