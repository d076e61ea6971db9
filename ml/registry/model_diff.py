"""What differs between two versions of a model: declaration, parameters, data, features, metrics, importance."""

from dataclasses import dataclass
from typing import Any

import duckdb

from ml.datasets.diff import diff_versions
from ml.datasets.versions import find_version, kept_versions
from ml.registry.models import ModelVersion
from ml.registry.reports import importance_of, metrics_of, rows_of


@dataclass(frozen=True)
class MetricChange:
    """A metric of both versions on the same rows; low, high: the interval of the difference, oriented so that positive is
    better, where the two were compared (registry.model_comparisons).
    """

    dataset_version: int
    split: str
    slice: str
    metric: str
    old: float | None
    new: float | None
    difference: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ModelDiff:
    """From one version of a model to another.

    declaration, parameters, libraries: path to (old, new), None for what is not there. dataset_versions: old and new;
    data: what differs between these, in figures; empty where they are one. metrics: on the dataset versions that both were
    scored on; metric: the one that the promotion of the new version goes by. importance: {method, feature, old, new}.
    """

    model: str
    old: int
    new: int
    reason: str
    declaration: dict[str, tuple[Any, Any]]
    parameters: dict[str, tuple[Any, Any]]
    libraries: dict[str, tuple[Any, Any]]
    code_changed: bool
    dataset_versions: tuple[int, int]
    data: dict[str, Any]
    features_added: list[str]
    features_left_out: list[str]
    metric: str
    metrics: list[MetricChange]
    importance: list[dict[str, Any]]


def diff_models(connection: duckdb.DuckDBPyConnection, old: ModelVersion, new: ModelVersion) -> ModelDiff:
    """Compare two versions of a model by the registry of a release and the recorded datasets.

    Raises ArtifactError where their datasets differ and the file of one is missing or altered.
    """
    before, after = ([feature.name for feature in version.signature.features] for version in (old, new))
    return ModelDiff(
        model=new.model,
        old=old.version,
        new=new.version,
        reason=new.reason,
        declaration=_differing(_flat(old.declaration), _flat(new.declaration)),
        parameters=_differing(old.params, new.params),
        libraries=_differing(old.libraries, new.libraries),
        code_changed=old.code_fingerprint != new.code_fingerprint,
        dataset_versions=(old.dataset_version, new.dataset_version),
        data=_data(old, new),
        features_added=[name for name in after if name not in before],
        features_left_out=[name for name in before if name not in after],
        metric=new.promote.metric,
        metrics=_metrics(connection, old, new),
        importance=_importance(connection, old, new),
    )


def _data(old: ModelVersion, new: ModelVersion) -> dict[str, Any]:
    if (old.dataset, old.dataset_version) == (new.dataset, new.dataset_version):
        return {}
    versions = kept_versions()
    found = diff_versions(
        find_version(versions, old.dataset, old.dataset_version),
        find_version(versions, new.dataset, new.dataset_version),
    )
    return {
        "rows": found.rows,
        "columns_added": found.columns_added,
        "columns_removed": found.columns_removed,
        "columns_retyped": found.columns_retyped,
        "changed_values": {column: count for column, count in found.changed_values.items() if count},
        "views": found.views,
        "definition": found.definition,
    }


def _metrics(connection: duckdb.DuckDBPyConnection, old: ModelVersion, new: ModelVersion) -> list[MetricChange]:
    place = ("dataset_version", "split", "slice", "metric")
    values: list[dict[Any, float | None]] = []
    compared: dict[Any, tuple[float, float]] = {}
    for version in (old, new):
        rows = metrics_of(connection, version.model, version.version).to_pylist()
        values.append({tuple(row[name] for name in place): row["value"] for row in rows})
        for row in rows_of(connection, "model_comparisons", version) or []:
            if {row["version"], row["champion"]} == {old.version, new.version} and row["low"] is not None:
                # What is recorded is version - champion.
                is_turned = row["version"] == old.version
                ends = (-row["high"], -row["low"]) if is_turned else (row["low"], row["high"])
                compared[tuple(row[name] for name in place)] = ends
    before, after = values
    changes = []
    for key in [key for key in after if key in before]:
        was, now = before[key], after[key]
        difference = None if was is None or now is None else now - was
        low, high = compared.get(key, (None, None))
        where = dict(zip(place, key, strict=True))
        changes.append(MetricChange(**where, old=was, new=now, difference=difference, low=low, high=high))
    return changes


def _importance(connection: duckdb.DuckDBPyConnection, old: ModelVersion, new: ModelVersion) -> list[dict[str, Any]]:
    before, after = (
        {(row["method"], row["feature"]): row["value"] for row in importance_of(connection, version)}
        for version in (old, new)
    )
    return [
        {
            "method": method,
            "feature": feature,
            "old": before.get((method, feature)),
            "new": after.get((method, feature)),
        }
        for method, feature in dict.fromkeys([*after, *before])
    ]


def _flat(declared: Any, path: str = "") -> dict[str, Any]:
    """A declaration with the path to each value, such as `split.by`."""
    if not isinstance(declared, dict):
        return {path: declared}
    flat: dict[str, Any] = {}
    for name, value in declared.items():
        flat |= _flat(value, f"{path}.{name}" if path else name)
    return flat


def _differing(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)}
