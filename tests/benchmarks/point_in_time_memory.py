"""Peak memory of the platform's point-in-time join: 10 million feature rows, 1 million spine rows. Printed, not asserted.

Made-up rows of two views of 5 million each, with a composite key; a tenth of one view became known late. Each memory
limit runs in a process of its own that reads Parquet and writes Parquet, and spills to a temporary folder. The resident
memory holds the interpreter and what DuckDB does not count, so it can lie somewhat above the limit.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.point_in_time import declaration, rendered_macro

FEATURE_ROWS, SPINE_ROWS, FEATURES = 5_000_000, 1_000_000, 8
LIMITS = ["4GB", "2GB", "1GB", "512MB"]


def write_data(folder: Path) -> None:
    """spine.parquet, prompt.parquet and late.parquet in a folder."""
    time_of = "timestamptz '2024-01-01 00:00:00Z' + to_seconds(cast(hash(i, {}) % 8640000 as bigint))".format
    key = "cast(hash(i, 1) % 1000 as integer) as shop, 'item-' || hash(i, 2) % 50 as item"
    connection = duckdb.connect(config={"memory_limit": "2GB", "temp_directory": str(folder / "spill")})
    connection.execute(
        f"copy (select i as id, {key}, {time_of(3)} as at from range({SPINE_ROWS}) as _ (i)) to '{folder / 'spine.parquet'}'"
    )
    for number, view in enumerate(["prompt", "late"]):
        lag = "if(hash(i, 4) % 10 = 0, cast(hash(i, 5) % 86400 as integer), 60)" if view == "late" else "60"
        values = ", ".join(f"random() as {view}_{feature}" for feature in range(FEATURES))
        connection.execute(
            f"copy (select {key}, {time_of(6 + number)} as event_at, event_at + to_seconds({lag}) as known_at, {values} "
            f"from range({FEATURE_ROWS}) as _ (i)) to '{folder / view}.parquet'"
        )


def join(folder: Path, limit: str) -> None:
    """The join under a memory limit, in this process. Prints {seconds, rows, peak_gb}."""
    spill = folder / f"spill-{limit}"
    connection = duckdb.connect(config={"memory_limit": limit, "temp_directory": str(spill)})
    for name in ("spine", "prompt", "late"):
        connection.execute(f"create view {name} as from '{folder / name}.parquet'")
    views = [
        declaration(view, ["shop", "item"], [f"{view}_{feature}" for feature in range(FEATURES)], None)
        for view in ("prompt", "late")
    ]
    select = rendered_macro()("spine", views, "at", True)
    start = time.perf_counter()
    ((rows,),) = connection.execute(f"copy ({select}) to '{folder / limit}.parquet'").fetchall()
    found = {
        "seconds": time.perf_counter() - start,
        "rows": rows,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    print(json.dumps(found))


def main() -> None:
    table = Table(
        title=f"{2 * FEATURE_ROWS:,} feature rows, {SPINE_ROWS:,} spine rows, {os.cpu_count()} cores",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in ("memory limit", "seconds", "peak GB", "rows"):
        table.add_column(column, justify="right", no_wrap=True)
    with tempfile.TemporaryDirectory() as temporary:
        write_data(Path(temporary))
        for limit in LIMITS:
            done = subprocess.run([sys.executable, __file__, temporary, limit], capture_output=True, text=True)
            if done.returncode != 0:
                table.add_row(limit, done.stderr.strip().splitlines()[-1][:60], "", "")
                continue
            one = json.loads(done.stdout)
            table.add_row(limit, f"{one['seconds']:.1f}", f"{one['peak_gb']:.2f}", f"{one['rows']:,}")
    Console().print(table)


if __name__ == "__main__":
    join(Path(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 2 else main()
