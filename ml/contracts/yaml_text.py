"""A proposed contract as the YAML of a dbt model."""

from typing import Any

import duckdb
import yaml

from ml.contracts.inference import Contract
from ml.quoting import Names


def as_model(
    connection: duckdb.DuckDBPyConnection, contract: Contract, name: str, view: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The entry of a contract under `models:`.

    connection: asked for DuckDB's keywords. view: {version, entity, event_at, known_at, ttl, online} where the relation is
    a registered feature view.
    """
    names = Names(connection)
    model: dict[str, Any] = {"name": name}
    config: dict[str, Any] = {"contract": {"enforced": True}}
    if view:
        fields = ("entity", "event_at", "known_at", "ttl", "online")
        config["meta"] = {"feature_view": {field: view[field] for field in fields if view[field] is not None}}
    model["config"] = config
    if contract.primary_key:
        keys = [names.write(key) for key in contract.primary_key]
        model["constraints"] = [{"type": "primary_key", "columns": keys}]
    model["columns"] = []
    for column in contract.columns:
        entry: dict[str, Any] = {"name": column.name}
        if names.need_quotes(column.name):
            entry["quote"] = True
        entry["data_type"] = _data_type(column.type)
        constraints = [{"type": "not_null"}] if column.null_count == 0 and contract.row_count else []
        constraints += [{"type": "check", "expression": check} for check in column.checks]
        if constraints:
            entry["constraints"] = constraints
        model["columns"].append(entry)
    if view:
        model["versions"] = [{"v": view["version"]}]
    return model


def _data_type(name: str) -> str:
    """A type as people write it. Names of fields and members stay as they are."""
    if name.startswith(("STRUCT", "MAP", "UNION", "ENUM")):
        return name
    return name.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ").lower()


def to_yaml(model: dict[str, Any]) -> str:
    """The entry as text, indented so that it can stand below `models:`."""
    text = yaml.dump(
        [model], Dumper=_Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=10_000
    )
    return "".join(f"  {line}\n" for line in text.splitlines())


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Lists are indented below their key, and texts with quotes stand in double ones, as in the project's own files."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "'" in text else None)


_Dumper.add_representer(str, _represent_text)
