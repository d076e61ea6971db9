"""Feast's feature server over SQLite: `feast_server.py FOLDER ROWS.parquet PORT`. Runs in the peers' environment."""

import datetime as dt
import sys
from pathlib import Path

import feast
import pandas
from feast.infra.online_stores.sqlite import SqliteOnlineStoreConfig
from feast.types import Float64
from feast.value_type import ValueType

if __name__ == "__main__":
    folder, rows = Path(sys.argv[1]), Path(sys.argv[2])
    written = folder / "written"
    folder.mkdir(parents=True, exist_ok=True)
    store = feast.FeatureStore(
        config=feast.RepoConfig(
            project="accounts",
            provider="local",
            registry=str(folder / "registry.db"),
            online_store=SqliteOnlineStoreConfig(path=str(folder / "online.db")),
            entity_key_serialization_version=3,
        )
    )
    frame = pandas.read_parquet(rows)
    features = [name for name in frame.columns if name not in ("account", "event_at")]
    account = feast.Entity(name="account", join_keys=["account"], value_type=ValueType.INT64)
    view = feast.FeatureView(
        name="narrow",
        entities=[account],
        source=feast.FileSource(name="rows", path=str(rows), timestamp_field="event_at"),
        schema=[feast.Field(name=name, dtype=Float64) for name in features],
        ttl=dt.timedelta(days=36500),
    )
    store.apply([account, view])
    if not written.exists():
        store.write_to_online_store("narrow", frame)
        written.touch()
    # Without max_requests=0 its worker is replaced after every thousand requests.
    store.serve("127.0.0.1", int(sys.argv[3]), max_requests=0, max_requests_jitter=0)
