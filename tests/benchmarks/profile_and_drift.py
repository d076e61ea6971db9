"""A profile and the drift of all columns, side by side with Evidently and TFDV. Printed, not asserted.

A million rows a side of 14 columns of numbers and 6 of categories, as Parquet. Each contender runs in a process of its own
and reads the files itself: Evidently's DataDriftPreset, TFDV's statistics (with its drift comparators), and the platform's
macros on DuckDB. Peers run in environments that are made under `warehouse/benchmarks`. TFDV needs Python 3.9 to 3.11 and
is left out under another.

A second table: profiling further partitions of a table that holds some.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.monitoring import partitions, table
from tests.benchmarks.monitoring.environments import environment
from tests.benchmarks.monitoring.statements import drift_of, profile_of
from tests.conftest import REPOSITORY

SCRIPTS = Path(__file__).parent / "monitoring" / "peers"
TFDV_RUNS_HERE = sys.version_info < (3, 12)


def contenders(folder: Path, rows: int) -> dict[str, list[object]]:
    """{what is measured: command}."""
    sides = table.write(folder, rows)
    reference, current = (f"(from '{side}')" for side in sides)
    profiles = [
        f"create table statistics_{place} as {profile_of(side)}" for place, side in enumerate((reference, current))
    ]
    plans = {"one": profiles[:1], "both": [*profiles, f"create table drift as {drift_of(reference, current)}"]}
    for name, plan in plans.items():
        (folder / f"{name}.json").write_text(json.dumps(plan))
    found: dict[str, list[object]] = {
        "eiderdown: profile of one side": [sys.executable, SCRIPTS / "ours.py", folder / "one.json"],
        "TFDV: statistics of one side": [SCRIPTS / "tfdv_statistics.py", sides[0]],
        "eiderdown: profile of both sides, and drift": [sys.executable, SCRIPTS / "ours.py", folder / "both.json"],
        "TFDV: statistics of both sides, and drift": [SCRIPTS / "tfdv_statistics.py", *sides],
        "Evidently: DataDriftPreset": [environment("evidently"), SCRIPTS / "evidently_drift.py", *sides],
    }
    for name in [name for name in found if name.startswith("TFDV")]:
        if TFDV_RUNS_HERE:
            found[name].insert(0, environment("tfdv"))
        else:
            del found[name]
    return found


def measured(command: list[object]) -> dict[str, float]:
    """What one process says of itself, see peers/measured.py. Raises SystemExit where it fails."""
    done = subprocess.run(
        [command[0], "-W", "ignore", *command[1:]],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3", "DO_NOT_TRACK": "1"},
    )
    if done.returncode != 0:
        raise SystemExit(f"{command[1]} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(rows: int, rounds: int) -> dict[str, dict[str, float]]:
    """The medians of each contender; the rounds go through all of them in turn."""
    with tempfile.TemporaryDirectory() as folder:
        commands = contenders(Path(folder), rows)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                runs[name].append(measured(command))
    return {name: {key: statistics.median(run[key] for run in of) for key in of[0]} for name, of in runs.items()}


def show(rows: int, rounds: int, found: dict[str, dict[str, float]]) -> None:
    """Print the table. TFDV and Evidently use one core, DuckDB all."""
    columns = ["", "s", "CPU s", "peak GB", "imports, CPU s", "imports, GB"]
    shown = Table(
        title=f"{rows:,} rows a side, {len(table.TYPES)} columns, median of {rounds}",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in columns:
        shown.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name, one in found.items():
        keys = ["seconds", "cpu", "peak_gb", "start_cpu", "start_gb"]
        shown.add_row(name, *(f"{one[key]:.2f}" for key in keys))
    console = Console(width=max(Console().width, 120))
    console.print(shown)
    console.print(
        f"  {len(os.sched_getaffinity(0))} cores, load average at the end {os.getloadavg()[0]:.1f}.", highlight=False
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of each side")
    parser.add_argument("--rounds", type=int, default=3, help="the median of this many")
    parser.add_argument(
        "--partition-rows", type=int, default=100_000, help="rows of a partition; 0 for no second table"
    )
    arguments = parser.parse_args()
    show(arguments.rows, arguments.rounds, compare(arguments.rows, arguments.rounds))
    if arguments.partition_rows:
        partitions.show(arguments.partition_rows, arguments.rounds)


if __name__ == "__main__":
    main()
