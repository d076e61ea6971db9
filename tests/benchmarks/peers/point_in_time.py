"""One contender of the point-in-time benchmark, in a process of its own: `python point_in_time.py <contender> <folder> <rounds>`.

Runs in the peers' environment. The folder holds `spine.parquet`, one Parquet file for each view, and `plan.json`:
{at, views: [{name, key, ttl_seconds, features}], sql: {contender: select}}. Prints {seconds, written, cpu, peak_gb}: the
result in memory, from data in memory (Feast reads its files each time); the same with the result written to
`<contender>.parquet`, and its CPU seconds; the process's peak resident memory.
"""

import datetime as dt
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[2])
PLAN = json.loads((FOLDER / "plan.json").read_text())
AT, VIEWS = PLAN["at"], PLAN["views"]
Contender = tuple[Callable[[], Any], Callable[[Path], Any]]


def _sql(name: str) -> Contender:
    """In a database file, as a warehouse is, so that tables can be put out of memory."""
    import duckdb

    select, limit = PLAN["sql"][name]
    connection = duckdb.connect(str(FOLDER / f"{name}.duckdb"))
    connection.execute("set TimeZone = 'UTC'")
    if limit:
        connection.execute(f"set memory_limit = '{limit}'")
    for table in ["spine", *(view["name"] for view in VIEWS)]:
        connection.execute(f"create table {table} as from '{FOLDER / table}.parquet'")

    def joined() -> None:
        connection.execute(f"create or replace temporary table joined as {select}")

    return joined, lambda path: connection.execute(f"copy ({select}) to '{path}' (format parquet)")


def _polars() -> Contender:
    import polars

    spine = polars.read_parquet(FOLDER / "spine.parquet")
    tables = {view["name"]: polars.read_parquet(FOLDER / f"{view['name']}.parquet") for view in VIEWS}

    def joined() -> polars.DataFrame:
        result = spine.lazy().sort(AT)
        for view in VIEWS:
            features = tables[view["name"]].lazy().select(view["key"], "event_at", *view["features"]).sort("event_at")
            tolerance = dt.timedelta(seconds=view["ttl_seconds"])
            result = result.join_asof(
                features, left_on=AT, right_on="event_at", by=view["key"], tolerance=tolerance, check_sortedness=False
            ).drop("event_at")
        return result.collect()

    return joined, lambda path: joined().write_parquet(path)


def _pandas() -> Contender:
    import pandas

    spine = pandas.read_parquet(FOLDER / "spine.parquet")
    tables = {view["name"]: pandas.read_parquet(FOLDER / f"{view['name']}.parquet") for view in VIEWS}

    def joined() -> pandas.DataFrame:
        result = spine.sort_values(AT)
        for view in VIEWS:
            features = tables[view["name"]][[view["key"], "event_at", *view["features"]]].sort_values("event_at")
            tolerance = pandas.Timedelta(seconds=view["ttl_seconds"])
            result = pandas.merge_asof(
                result, features, left_on=AT, right_on="event_at", by=view["key"], tolerance=tolerance
            ).drop(columns="event_at")
        return result

    return joined, lambda path: joined().to_parquet(path)


def _feast() -> Contender:
    import feast
    import pandas
    from feast.infra.offline_stores.duckdb import DuckDBOfflineStoreConfig
    from feast.infra.online_stores.sqlite import SqliteOnlineStoreConfig
    from feast.value_type import ValueType

    store = feast.FeatureStore(
        config=feast.RepoConfig(
            project="flights",
            provider="local",
            registry=str(FOLDER / "registry.db"),
            offline_store=DuckDBOfflineStoreConfig(),
            online_store=SqliteOnlineStoreConfig(path=str(FOLDER / "online.db")),
            entity_key_serialization_version=3,
        ),
        repo_path=FOLDER,
    )
    objects: list[Any] = []
    for view in VIEWS:
        entity = feast.Entity(name=view["key"], join_keys=[view["key"]], value_type=ValueType.STRING)
        source = feast.FileSource(
            name=f"{view['name']}_file", path=str(FOLDER / f"{view['name']}.parquet"), timestamp_field="event_at"
        )
        ttl = dt.timedelta(seconds=view["ttl_seconds"])
        objects += [
            entity,
            feast.FeatureView(name=view["name"], entities=[entity], source=source, ttl=ttl, online=False),
        ]
    store.apply(objects)
    spine = pandas.read_parquet(FOLDER / "spine.parquet").rename(columns={AT: "event_timestamp"})
    names = [f"{view['name']}:{feature}" for view in VIEWS for feature in view["features"]]

    def joined() -> pandas.DataFrame:
        return store.get_historical_features(entity_df=spine, features=names).to_df()

    return joined, lambda path: joined().rename(columns={"event_timestamp": AT}).to_parquet(path)


def _medians(rounds: int, work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of wall clock and of CPU."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall, cpu = zip(*taken, strict=True)
    return statistics.median(wall), statistics.median(cpu)


def main() -> None:
    name, rounds = sys.argv[1], int(sys.argv[3])
    peers = {"polars": _polars, "pandas": _pandas, "feast": _feast}
    joined, write = peers[name]() if name in peers else _sql(name)
    # Feast takes minutes: its one run is the one that writes.
    seconds = None if name == "feast" else _medians(rounds, joined)[0]
    written, cpu = _medians(1 if name == "feast" else rounds, lambda: write(FOLDER / f"{name}.parquet"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"seconds": seconds, "written": written, "cpu": cpu, "peak_gb": peak}))


if __name__ == "__main__":
    main()
