"""Feast's own client: `feast_client.py URL FOLDER`, with what to ask as JSON on standard input. Runs in Feast's environment.

Prints what it found as JSON: times in ISO 8601, decimals as {"decimal": text}.
"""

import datetime as dt
import decimal
import json
import sys
from typing import Any

from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, types
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import feast_value_type_to_python_type
from feast.value_type import ValueType


def ask(store: FeatureStore, asked: dict[str, Any]) -> dict[str, Any]:
    """`FeatureStore.get_online_features`: the columns as `to_dict` has them, their statuses, and the views' versions."""
    if service := asked.pop("feature_service", None):
        asked["features"] = FeatureService(name=service, features=[])
    try:
        found = store.get_online_features(**asked)
    except RuntimeError as error:
        return {"error": str(error)}
    metadata = found.proto.metadata
    statuses = [[FieldStatus.Name(status) for status in one.statuses] for one in found.proto.results]
    return {
        "values": found.to_dict(),
        "statuses": dict(zip(metadata.feature_names.val, statuses, strict=True)),
        "versions": {view.name: view.version for view in metadata.feature_view_metadata},
        "rows": len(found.to_df()),
    }


def read(store: FeatureStore, view: str, key: str, keys: list[int], declared: dict[str, list[str]]) -> dict[str, Any]:
    """`RemoteOnlineStore.online_read`, by the types that a view declares: [type], or ["Array", type]."""
    kinds = {name: getattr(types, kind[-1]) for name, kind in declared.items()}
    fields = [
        Field(name=name, dtype=types.Array(kinds[name]) if len(kind) == 2 else kinds[name])
        for name, kind in declared.items()
    ]
    entity = Entity(name=key, join_keys=[key], value_type=ValueType.INT64)
    feature_view = FeatureView(name=view, entities=[entity], schema=fields, source=FileSource(path="nowhere.parquet"))
    wanted = [EntityKey(join_keys=[key], entity_values=[Value(int64_val=one)]) for one in keys]
    online = store._get_provider().online_store
    rows = online.online_read(store.config, feature_view, wanted, list(declared))
    return {
        "event_at": rows[0][0],
        "rows": [{name: feast_value_type_to_python_type(value) for name, value in row.items()} for _, row in rows],
    }


def as_json(value: Any) -> Any:
    """What JSON has no value for."""
    if isinstance(value, decimal.Decimal):
        return {"decimal": format(value, "f")}
    assert isinstance(value, dt.datetime)
    return value.isoformat()


def main() -> None:
    """Ask."""
    url, folder = sys.argv[1:]
    asked = json.load(sys.stdin)
    online_store = {"type": "remote", "path": url}
    registry = f"{folder}/registry.db"
    config = RepoConfig(
        project="test",
        provider="local",
        registry=registry,
        online_store=online_store,
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    found = {"asked": [ask(store, one) for one in asked["asked"]], "read": read(store, **asked["read"])}
    print(json.dumps(found, default=as_json))


if __name__ == "__main__":
    main()
