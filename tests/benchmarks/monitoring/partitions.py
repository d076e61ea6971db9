"""What it costs to profile further days of a table that holds some, as monitoring.feature_statistics does it."""

import os
import statistics
import tempfile
import time
from pathlib import Path

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table

from tests.benchmarks.monitoring import table
from tests.benchmarks.monitoring.statements import contents_of_days, profile_of_days

HELD, FURTHER = [1, 10, 50], [1, 2, 5]


def day(number: int) -> str:
    """The begin of a day, as text."""
    return str(duckdb.sql(f"select date '2024-01-01' + {number}").fetchall()[0][0]) + " 00:00:00+00"


def cost(connection: duckdb.DuckDBPyConnection, query: str, rounds: int) -> tuple[float, float]:
    """Seconds and CPU seconds of a query, medians."""
    seconds, cpu = [], []
    for _ in range(rounds):
        started, cpu_started = time.perf_counter(), time.process_time()
        connection.execute(f"create or replace temporary table found as {query}")
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - cpu_started)
    return statistics.median(seconds), statistics.median(cpu)


def costs(held: int, rows: int, rounds: int) -> list[tuple[float, float]]:
    """With days that are held: of telling which days are new, and of the profiles of each number of FURTHER ones."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(str(Path(folder) / "held.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'")
        all_days = held + max(FURTHER)
        connection.execute(f"create temporary table one_day as {table.select(rows, 0)}")
        connection.execute(
            "create table partitioned as "
            f"select timestamptz '{day(0)}' + to_days(cast(number as integer)) as at, one_day.* "
            f"from range({all_days}) as days (number) cross join one_day order by number"
        )
        connection.execute("checkpoint")
        found = [cost(connection, contents_of_days(day(all_days)), rounds)]
        for further in FURTHER:
            days = [day(held + number) for number in range(further)]
            found.append(cost(connection, profile_of_days(days), rounds))
            ((profiled,),) = connection.sql(f"select count(*) from found where row_count = {rows}").fetchall()
            if profiled != further * len(table.TYPES):
                raise SystemExit(f"{further} days gave {profiled} rows.")
    return found


def show(rows: int, rounds: int) -> None:
    """Print the table. rows: of a day."""
    title = f"Profile of further days, {rows:,} rows each"
    shown = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    parts = ["what changed", *(f"{further} further" for further in FURTHER)]
    for column in ["days held", *(f"{part}, s / CPU s" for part in parts)]:
        shown.add_column(column, justify="right", no_wrap=True)
    for held in HELD:
        shown.add_row(str(held), *(f"{seconds:.2f} / {cpu:.2f}" for seconds, cpu in costs(held, rows, rounds)))
    console = Console(width=max(Console().width, 120))
    console.print(shown)
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    console.print(f"  {cores} cores, load average at the end {load:.1f}.", highlight=False)
