"""The models of a release: which versions it carries, and their artifacts."""

import json
from pathlib import Path
from typing import Any

import duckdb

from ml import files
from ml.errors import ReleaseError
from ml.experiments.declaration import pinned_versions
from ml.release.manifest import ReleasedModel

LATEST_VERSIONS = 3


def named_aliases(aliases: duckdb.DuckDBPyRelation) -> dict[str, dict[str, int]]:
    """{model: {alias: version}} of registry.current_aliases."""
    named: dict[str, dict[str, int]] = {}
    for model, alias, version in aliases.select("model, alias, version").order("model, alias").fetchall():
        named.setdefault(model, {})[alias] = version
    return named


def write_models(
    versions: duckdb.DuckDBPyRelation,
    aliases: dict[str, dict[str, int]],
    serving: dict[str, dict[str, Any]],
    views: dict[str, set[str]],
    folder: Path,
) -> list[ReleasedModel]:
    """Copy the artifacts of versions with an alias or in an experiment, and of each model's latest ones, under a folder.

    versions: registry.model_versions; serving: what models declare of how they are served; views: the fingerprints that a version
    may have been trained on, by view. Raises ReleaseError for a named version that was trained on another, ArtifactError for an
    artifact that is not the recorded one.
    """
    pinned = pinned_versions(serving)
    columns = (
        "model, version, task, estimator, artifact_format, artifact, artifact_sha256, "
        "cast(signature as varchar), cast(canary as varchar)"
    )
    recorded = versions.select(columns).order("model, version").fetchall()
    newest = {row[0]: row[1] for row in recorded}
    models = []
    for model, version, task, estimator, artifact_format, artifact, sha256, signature, canary in recorded:
        is_named = version in aliases.get(model, {}).values() or (model, version) in pinned
        if not is_named and version <= newest[model] - LATEST_VERSIONS:
            continue
        others = other_meanings(signature, views)
        if others and is_named:
            raise ReleaseError(
                f"{model} version {version} was trained on another meaning of {', '.join(others)} than the one that is to "
                "be published, or the view is not online. Train again (dbt build --selector training_pipeline)."
            )
        if others:
            continue
        path = folder / "models" / f"{model}_v{version}{Path(artifact).suffix}"
        path.write_bytes(files.read_checked(files.home() / artifact, sha256))
        file = str(path.relative_to(folder))
        models.append(ReleasedModel(model, version, task, estimator, artifact_format, file, sha256, signature, canary))
    return models


def declared_serving(decisions: duckdb.DuckDBPyRelation) -> dict[str, dict[str, Any]]:
    """{model: what it declares of how it is served}, of those that declare something.

    decisions: registry.training_decisions.
    """
    rows = decisions.select("model, cast(serving as varchar)").order("model").fetchall()
    declared = {model: json.loads(serving) for model, serving in rows}
    return {model: serving for model, serving in declared.items() if serving}


def other_meanings(signature: str, views: dict[str, set[str]]) -> list[str]:
    """The feature views of a signature that mean something else than it was trained on, or are not there.

    signature: JSON; views: the fingerprints that are accepted, by view.
    """
    return [
        f"{view['view']}_v{view['version']}"
        for view in json.loads(signature)["views"]
        if view["fingerprint"] not in views.get(f"{view['view']}_v{view['version']}", ())
    ]
