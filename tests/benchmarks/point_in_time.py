"""Point-in-time joins side by side: the platform's macro, ASOF SQL by hand, polars, pandas and Feast. Printed, not asserted.

Three views of the demonstration and its flights, replicated in time to --rows (3.4 million by default). Every contender
must give the same values, or the script fails. The data have known_at = event_at, since only the platform's
join has a second clock. Each runs in a process of its own, in an environment with the peers' packages.

Feast compares every pair of a key within the ttl, and of the three origins there are many: on 3.4 million rows it was stopped
after 13 minutes. It stands in a second table, on fewer rows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from eiderdown.demonstration import flights
from tests.conftest import copy_project
from tests.environments import environment
from tests.point_in_time import rendered_macro

PEERS = ["duckdb==2.0.0", "feast[duckdb]==0.67.0", "pandas==2.3.3", "polars==2.1.0", "pyarrow==26.0.1"]
VIEWS = {
    "plane_activity_v2": ("tailnum", "2 days", 2 * 86400),
    "origin_activity_v1": ("origin", "3 hours", 3 * 3600),
    "carrier_activity_v1": ("carrier", "6 hours", 6 * 3600),
}
AT = "predicted_at"
CONTENDERS = {
    "eiderdown": "point_in_time",
    "limited": "point_in_time in 3 GB",
    "asof": "ASOF SQL by hand",
    "polars": "polars join_asof",
    "pandas": "pandas merge_asof",
    "feast": "Feast",
}
TWO_CLOCKS = ("eiderdown", "limited")


def write_data(folder: Path, rows: int) -> dict[str, Any]:
    """The spine and the views as Parquet in a folder. Returns {feature: type} of each view."""
    project = copy_project(folder / "project")
    flights.load(project.home / "raw", flights.DEFAULT_AS_OF)
    project.dbt("run", "-s", "+plane_activity.v2", "+origin_activity", "+carrier_activity")
    types = {}
    with duckdb.connect(str(project.database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        ((flight_count,),) = connection.sql("select count(*) from staging.flights").fetchall()
        # 400 days apart, so that no copy sees another; fewer rows than flights are the first of the year.
        copies = f"range({-(-rows // flight_count)}) as copies (copy)"
        shift = "to_days(cast(400 * copy as integer))"
        connection.execute(
            f"copy (select flight_id || '-' || copy as flight_id, tailnum, carrier, origin, dest, distance, "
            f"sched_dep_at + {shift} - interval 2 hours as {AT} from staging.flights, {copies} "
            f"order by {AT}, flight_id limit {rows}) to '{folder / 'spine.parquet'}'"
        )
        for view, (key, _, _) in VIEWS.items():
            connection.execute(
                f"copy (select view.* replace (event_at + {shift} as event_at, known_at + {shift} as known_at) "
                f"from features.{view} as view, {copies}) to '{folder / view}.parquet'"
            )
            columns = connection.sql(f"describe features.{view}").fetchall()
            types[view] = {name: kind for name, kind, *_ in columns if name not in (key, "event_at", "known_at")}
    return types


def sql_of_macro(types: dict[str, Any]) -> str:
    """The select that the platform's macro renders."""
    declarations = [
        {
            "view": view.rsplit("_v", 1)[0],
            "version": int(view.rsplit("_v", 1)[1]),
            "relation": view,
            "entity": [key],
            "event_at": "event_at",
            "known_at": "known_at",
            "ttl": ttl,
            "features": types[view],
        }
        for view, (key, ttl, _) in VIEWS.items()
    ]
    return rendered_macro()("spine", declarations, AT, False)


def sql_by_hand(types: dict[str, Any]) -> str:
    """One clock, ttl, nothing else: what an analyst writes."""
    columns, joins = ["spine.*"], []
    for view, (key, ttl, _) in VIEWS.items():
        too_old = f"spine.{AT} - {view}.event_at > interval '{ttl}'"
        columns += [f"if({too_old}, null, {view}.{feature}) as {feature}" for feature in types[view]]
        joins.append(f"asof left join {view} on spine.{AT} >= {view}.event_at and spine.{key} = {view}.{key}")
    return f"select {', '.join(columns)} from spine {' '.join(joins)}"


def checksum(path: Path, types: dict[str, Any]) -> tuple[Any, ...]:
    """Of all features by flight, whatever the order of rows and however a library writes nulls and whole numbers."""
    values = []
    for features in types.values():
        for name, kind in features.items():
            if kind == "VARCHAR":
                values.append(name)
            elif kind.startswith("TIMESTAMP"):
                values.append(f"epoch_us({name})")
            else:
                values.append(f"if(isnan(cast({name} as double)), null, cast({name} as double))")
    hashed = f"hash(flight_id, {', '.join(values)})"
    query = f"select count(*), bit_xor({hashed}), sum({hashed} // 65536) from '{path}'"
    return duckdb.sql(query).fetchall()[0]


def compare(folder: Path, names: list[str], types: dict[str, Any], rounds: int) -> dict[str, dict[str, float]]:
    """Seconds and memory of each contender. Raises SystemExit where one gives other values."""
    found, expected = {}, None
    script = Path(__file__).parent / "peers" / "point_in_time.py"
    for name in names:
        done = subprocess.run(
            [environment("point_in_time", *PEERS), "-W", "ignore", script, name, folder, str(rounds)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "FEAST_USAGE": "False"},
        )
        if done.returncode != 0:
            raise SystemExit(f"{name}: ended with {done.returncode}")
        found[name] = json.loads(done.stdout.splitlines()[-1])
        values = checksum(folder / f"{name}.parquet", types)
        expected = expected or values
        if values != expected:
            raise SystemExit(f"{name}: other values than {names[0]}: {values} and not {expected}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_400_000, help="rows of the spine")
    parser.add_argument("--feast-rows", type=int, default=200_000, help="the same beside Feast; 0 for none")
    parser.add_argument("--rounds", type=int, default=3, help="the median of this many; Feast runs once")
    arguments = parser.parse_args()
    without = [name for name in CONTENDERS if name != "feast"]
    for rows, names in ((arguments.rows, without), (arguments.feast_rows, list(CONTENDERS))):
        if rows:
            show(rows, measure(rows, names, arguments.rounds))


def measure(rows: int, names: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """What compare() gives, on data of a size."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        types = write_data(folder, rows)
        views = [
            {"name": view, "key": key, "ttl_seconds": seconds, "features": list(types[view])}
            for view, (key, _, seconds) in VIEWS.items()
        ]
        macro = sql_of_macro(types)
        sql = {"eiderdown": (macro, None), "limited": (macro, "3GB"), "asof": (sql_by_hand(types), None)}
        (folder / "plan.json").write_text(json.dumps({"at": AT, "views": views, "sql": sql}))
        return compare(folder, names, types, rounds)


def show(rows: int, found: dict[str, dict[str, float]]) -> None:
    """Print one table."""
    table = Table(
        title=f"Three views, {rows:,} rows, {os.cpu_count()} cores: equal results",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in ("", "clocks", "joined s", "written s", "CPU s", "peak GB", "times ours"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name, one in found.items():
        table.add_row(
            CONTENDERS[name],
            "2" if name in TWO_CLOCKS else "1",
            "" if one["seconds"] is None else f"{one['seconds']:.2f}",
            f"{one['written']:.2f}",
            f"{one['cpu']:.2f}",
            f"{one['peak_gb']:.2f}",
            f"{one['written'] / found['eiderdown']['written']:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
