"""The registry of models: versions, aliases, and a version that can score; also for readers that must not open the warehouse."""

import datetime as dt
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import duckdb

from ml import files
from ml.baseline import Baseline
from ml.declared import hint
from ml.errors import ArtifactError, DeclarationError
from ml.scorer import Scorer
from ml.signature import Signature
from ml.spec import METRICS, Promote


@dataclass(frozen=True)
class ModelVersion:
    """A row of registry.model_versions. `artifact` is its file, under the home folder."""

    model: str
    version: int
    created_at: dt.datetime
    reason: str
    estimator: str
    task: str
    target: str
    dataset: str
    dataset_version: int
    feature_fingerprint: str
    code_fingerprint: str
    training_fingerprint: str
    inputs: dict[str, Any]
    declaration: dict[str, Any]
    params: dict[str, Any]
    seed: int
    row_counts: dict[str, int]
    learning_curve: dict[str, list[float]]
    signature: Signature
    canary: str
    baseline: Baseline | None
    artifact_format: str
    artifact: str
    artifact_sha256: str
    libraries: dict[str, str]

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "ModelVersion":
        """From a row as JSON holds it."""
        names = [field.name for field in fields(cls)]
        return cls(
            **{name: row[name] for name in names}
            | {
                "created_at": dt.datetime.fromisoformat(row["created_at"]),
                "signature": Signature.from_json(json.dumps(row["signature"])),
                "canary": json.dumps(row["canary"]),
                "baseline": Baseline(**row["baseline"]) if row["baseline"] else None,
            }
        )

    @property
    def name(self) -> str:
        """The model with its version, such as churn@3."""
        return f"{self.model}@{self.version}"

    @property
    def promote(self) -> Promote:
        """The rule that its promotion goes by."""
        return Promote(**{"metric": METRICS[self.task][0], **self.declaration.get("promote", {})})

    def is_there(self) -> bool:
        """Whether the artifact is on disk: old ones may have been removed."""
        return (files.home() / self.artifact).is_file()

    def scorer(self) -> Scorer:
        """The model, loaded. Raises ArtifactError where its file is missing, altered or unreadable."""
        return Scorer(files.home() / self.artifact, self.artifact_format, self.artifact_sha256, self.signature)


@dataclass(frozen=True)
class Models:
    """The versions of every model, by name and version, and what the aliases name: {model: {alias: version}}."""

    versions: list[ModelVersion]
    aliases: dict[str, dict[str, int]]

    def find(self, name: str) -> ModelVersion:
        """A version by `<model>`, which is its champion, `<model>@<version>` or `<model>@<alias>`.

        Raises DeclarationError where there is no such model, version or alias, with those that there are.
        """
        numbers: dict[str, list[int]] = {}
        for version in self.versions:
            numbers.setdefault(version.model, []).append(version.version)
        chosen = choose_version(name, numbers, self.aliases)
        return next(version for version in self.versions if (version.model, version.version) == chosen)


def choose_version(name: str, versions: dict[str, list[int]], aliases: dict[str, dict[str, int]]) -> tuple[str, int]:
    """The model and version that `<model>` (its champion), `<model>@<version>` or `<model>@<alias>` means.

    Raises DeclarationError where there is no such model, version or alias, with those that there are.
    """
    model, _, which = name.partition("@")
    if model not in versions:
        raise DeclarationError(
            f"there is no model '{model}' with a version; the models are {', '.join(versions) or 'none'}."
            f"{hint(model, versions)} Build it first, or check the name."
        )
    named = aliases.get(model, {})
    number = int(which) if which.isascii() and which.isdigit() else named.get(which or "champion")
    if number is None or number not in versions[model]:
        raise DeclarationError(
            f"the model {model} has no version or alias '{which or 'champion'}' here; the versions are "
            f"{', '.join(map(str, versions[model]))}, the aliases {', '.join(named) or 'none'}."
        )
    return model, number


def registered_versions(versions: duckdb.DuckDBPyRelation) -> list[ModelVersion]:
    """The rows of registry.model_versions, or of a training model, by model and version."""
    row = ", ".join(f"'{field.name}': {field.name}" for field in fields(ModelVersion))
    texts = versions.order("model, version").select(f"cast(to_json({{{row}}}) as varchar)").fetchall()
    return [ModelVersion.from_row(json.loads(text)) for (text,) in texts]


def models_file() -> Path:
    """What `kept_models` reads; a build replaces it as a whole."""
    return files.home() / "artifacts" / "models" / "versions.json"


def kept_models() -> Models:
    """The registry of models, without opening the warehouse.

    Raises ArtifactError where the file that a build of registry.current_aliases writes is missing or cannot be read.
    """
    path = models_file()
    try:
        stored = json.loads(path.read_text())
        versions = [ModelVersion.from_row(row) for row in stored["versions"]]
        aliases: dict[str, dict[str, int]] = {}
        for row in stored["aliases"]:
            aliases.setdefault(row["model"], {})[row["alias"]] = row["version"]
        return Models(versions, aliases)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(
            f"{path}: no list of model versions ({type(error).__name__}). Build registry.current_aliases to write it: "
            "dbt run --select registry.current_aliases."
        ) from error
