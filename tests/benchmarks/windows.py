"""What rolling aggregates cost, by the number of events and of windows, beside naive SQL: printed, never asserted.

Count, sum, mean, stddev, min and max of one column, over 1, 3 and 10 windows, of events of 200 entities in one year. Naive
SQL as one writes it (`interval` frames on timestamptz); the same with frames on integer microseconds; windows() built in
full; windows() brought up to date after 1 % of new events. The results of all four are checked to be the same rows (means
and standard deviations to 1e-9: a sum of doubles is not exact, ours is).

    python tests/benchmarks/windows.py --events 100000 1000000 --windows 1 3 10
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.rendered import package

MACROS = package("windows/*")
HOURS = (24, 6, 168, 1, 12, 48, 72, 3, 336, 720)
AGGREGATES = {"n": "count", "total": "sum", "average": "mean", "spread": "stddev", "least": "min", "most": "max"}
NAIVE = {**{kind: kind for kind in AGGREGATES.values()}, "mean": "avg", "stddev": "stddev_samp"}
ENTITIES = 200


def naive(hours: tuple[int, ...], integers: bool) -> str:
    """The analyst's SQL: a window function for each aggregate and window."""
    order = "epoch_us(event_at)" if integers else "event_at"
    columns = [
        f"{NAIVE[kind]}(x) over w{hour} as {name}_{hour}h" for hour in hours for name, kind in AGGREGATES.items()
    ]
    frames = [
        f"w{hour} as (partition by k order by {order} range between "
        + (f"{hour * 3_600_000_000}" if integers else f"interval {hour} hours")
        + " preceding and current row)"
        for hour in hours
    ]
    return f"select distinct k, event_at, event_at as known_at, {', '.join(columns)} from events window {', '.join(frames)}"


def ours(hours: tuple[int, ...]) -> str:
    """What windows() renders."""
    windows = {f"{hour}h": f"{hour} hours" for hour in hours}
    declaration = MACROS.windows_declaration({name: f"{kind}(x)" for name, kind in AGGREGATES.items()}, windows)
    types = {column["name"]: "bigint" for column in declaration["columns"] if column["kind"] == "sum"}
    return MACROS.windows_select("events", ["k"], "event_at", None, declaration, types)


def timed(connection: duckdb.DuckDBPyConnection, sql: str) -> float:
    """Seconds that statements take."""
    start = time.perf_counter()
    connection.execute(sql)
    return time.perf_counter() - start


def differing(connection: duckdb.DuckDBPyConnection, one: str, other: str) -> int:
    """How many rows of two tables differ, doubles by more than 1e-9."""
    columns = [(row[0], row[1]) for row in connection.sql(f"describe {one}").fetchall()]
    equal = [
        f"abs(a.{name} - b.{name}) <= 1e-9 * greatest(1, abs(b.{name})) or (a.{name} is null and b.{name} is null)"
        if kind == "DOUBLE"
        else f"a.{name} is not distinct from b.{name}"
        for name, kind in columns
    ]
    joined = f"from {one} as a full outer join {other} as b using (k, event_at)"
    return connection.sql(
        f"select count(*) filter (not ({' and '.join(f'({one})' for one in equal)})) {joined}"
    ).fetchall()[0][0]


def measure(connection: duckdb.DuckDBPyConnection, events: int, count: int, with_naive: bool) -> list[str]:
    """One row of the table."""
    hours = HOURS[:count]
    seconds = []
    if with_naive:
        for name, integers in (("interval_frames", False), ("integer_frames", True)):
            seconds.append(timed(connection, f"create or replace table {name} as {naive(hours, integers)}"))
    sql = ours(hours)
    tiles = MACROS.windows_tiles(sql, MACROS.windows_facts(sql))
    seconds.append(
        timed(connection, f"create or replace table full_build as {sql}; create or replace table tiles as {tiles}")
    )
    connection.execute("alter table events rename to every_event")
    connection.execute("create table events as from every_event where not is_new")
    connection.execute(f"create or replace table view as {sql}; create or replace table tiles as {tiles}")
    connection.execute("drop table events; alter table every_event rename to events")
    columns = [row[0] for row in connection.sql("describe view").fetchall()]
    statements = MACROS.windows_incremental("view", "tiles", sql, columns)
    seconds.append(timed(connection, f"begin; {statements}; commit"))
    wrong = connection.sql(
        "select count(*) from ((from view except from full_build) union all (from full_build except from view))"
    ).fetchall()[0][0]
    if with_naive:
        wrong += sum(differing(connection, "full_build", name) for name in ("interval_frames", "integer_frames"))
    times = [f"{one:.2f}" for one in seconds] if with_naive else ["", "", *(f"{one:.2f}" for one in seconds)]
    return [f"{events:,}", str(count), *times, "yes" if wrong == 0 else f"NO: {wrong} rows differ"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--memory", default="6GB")
    parser.add_argument("--no-naive", action="store_true", help="leave naive SQL out, which 10^7 events take long for")
    asked = parser.parse_args()
    table = Table(title="Seconds; 2 threads")
    for heading in (
        "events",
        "windows",
        "naive, interval",
        "naive, integer",
        "full",
        "incremental, 1 % new",
        "same rows",
    ):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for events in asked.events:
            connection = duckdb.connect(str(Path(folder) / f"{events}.duckdb"))
            connection.execute(f"set threads = 2; set TimeZone = 'UTC'; set memory_limit = '{asked.memory}'")
            connection.execute(
                "create table events as select hash(i) % $entities as k, "
                "to_timestamp(1700000000 + hash(i, 1) % 31536000) as event_at, cast(hash(i, 2) % 2000 as integer) - 700 as x, "
                "event_at > to_timestamp(1700000000 + 31536000 * 0.99) as is_new from range($events) as numbers(i)",
                {"entities": ENTITIES, "events": events},
            )
            for count in asked.windows:
                table.add_row(*measure(connection, events, count, not asked.no_naive))
            connection.close()
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
