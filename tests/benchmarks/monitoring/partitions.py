"""What it costs to profile further partitions of a table that holds some."""

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
from tests.benchmarks.monitoring.statements import profile_of

HELD, FURTHER = [1, 10, 50], [1, 2, 5]


def cost(connection: duckdb.DuckDBPyConnection, held: int, further: int, rounds: int) -> tuple[float, float]:
    """Seconds and CPU seconds, medians, of the profiles of the partitions that come after those that are held."""
    of_further = f"(from partitioned where part >= {held} and part < {held + further})"
    seconds, cpu = [], []
    for _ in range(rounds):
        started, cpu_started = time.perf_counter(), time.process_time()
        connection.execute(
            f"create or replace temporary table profiled as {profile_of(of_further, by={'part': 'part'})}"
        )
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - cpu_started)
    ((groups,),) = connection.sql("select count(*) from profiled").fetchall()
    if groups != further * len(table.TYPES):
        raise SystemExit(f"{further} partitions gave {groups} rows.")
    return statistics.median(seconds), statistics.median(cpu)


def show(rows: int, rounds: int) -> None:
    """Print the table. rows: of a partition."""
    shown = Table(title=f"Profile of further partitions, {rows:,} rows each", box=box.SIMPLE_HEAD, pad_edge=False)
    columns = ["partitions held", *(f"{further} further, {unit}" for further in FURTHER for unit in ("s", "CPU s"))]
    for column in columns:
        shown.add_column(column, justify="right", no_wrap=True)
    for held in HELD:
        with tempfile.TemporaryDirectory() as folder, duckdb.connect(str(Path(folder) / "held.duckdb")) as connection:
            for part in range(held + max(FURTHER)):
                kind = "insert into partitioned" if part else "create table partitioned as"
                connection.execute(f"{kind} select {part} as part, * from ({table.select(rows, part)})")
            connection.execute("checkpoint")
            costs = [cost(connection, held, further, rounds) for further in FURTHER]
            shown.add_row(str(held), *(f"{value:.2f}" for pair in costs for value in pair))
    console = Console(width=max(Console().width, 120))
    console.print(shown)
    console.print(
        f"  {len(os.sched_getaffinity(0))} cores, load average at the end {os.getloadavg()[0]:.1f}.", highlight=False
    )
