"""The registry of models: versions, aliases, and a version that can score; also for readers that must not open the warehouse."""

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import duckdb

from ml import files
from ml.declared import hint
from ml.errors import ArtifactError, DeclarationError
from ml.promotion.decision import Decision, imported_versions, read_decisions
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Signature
from ml.training.baseline import Baseline
from ml.training.spec import METRICS, Promote

JSON_COLUMNS = ("inputs", "declaration", "params", "signature", "canary", "baseline")


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
    label_sources: dict[str, int] | None
    """How many of the rows that it learned from have their label from where; None where that is not recorded."""
    learning_curve: dict[str, list[float]]
    signature: Signature
    canary: str
    baseline: Baseline | None
    artifact_format: str
    artifact: str
    artifact_sha256: str
    libraries: dict[str, str]
    origin: str | None
    """Where it was brought over from, as `dev:churn@3`; None for a version that was trained here."""

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "ModelVersion":
        """From a row as JSON holds it."""
        names = [field.name for field in fields(cls)]
        return cls(
            # Not in the lists and events of before there was such a column.
            **{name: row[name] for name in names if name != "label_sources"}
            | {
                "label_sources": row.get("label_sources"),
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
        versions = {(version.model, version.version): version for version in self.versions}
        return versions[choose_version(name, versions, self.aliases)]


def choose_version(
    name: str, versions: Iterable[tuple[str, int]], aliases: dict[str, dict[str, int]]
) -> tuple[str, int]:
    """The model and version that `<model>` (its champion), `<model>@<version>` or `<model>@<alias>` means.

    Raises DeclarationError where there is no such model, version or alias, with those that there are.
    """
    model, _, which = name.partition("@")
    numbers: dict[str, list[int]] = {}
    for known, version in versions:
        numbers.setdefault(known, []).append(version)
    if model not in numbers:
        raise DeclarationError(
            f"there is no model '{model}' with a version; the models are {', '.join(numbers) or 'none'}."
            f"{hint(model, numbers)} Build it first, or check the name."
        )
    named = aliases.get(model, {})
    number = int(which) if which.isascii() and which.isdigit() else named.get(which or "champion")
    if number is None or number not in numbers[model]:
        raise DeclarationError(
            f"the model {model} has no version or alias '{which or 'champion'}' here; the versions are "
            f"{', '.join(map(str, numbers[model]))}, the aliases {', '.join(named) or 'none'}."
        )
    return model, number


def registered_versions(versions: duckdb.DuckDBPyRelation) -> list[ModelVersion]:
    """The rows of registry.model_versions, or of a training model, by model and version."""
    row = ", ".join(f"'{field.name}': {field.name}" for field in fields(ModelVersion))
    texts = versions.order("model, version").select(f"cast(to_json({{{row}}}) as varchar)").fetchall()
    return [ModelVersion.from_row(json.loads(text)) for (text,) in texts]


def brought_over(model: str) -> list[ModelVersion]:
    """The versions of a model that came from other environments, also those that no run has folded into the registry yet."""
    return [ModelVersion.from_row(_from_record(record)) for record in imported_versions(model)]


def models_file(home: Path | None = None) -> Path:
    """The registry of models as the last run left it, of a home folder, this one if none is named; replaced as a whole."""
    return (home or files.home()) / "artifacts" / "models" / "versions.json"


def kept_models() -> Models:
    """The registry of models, without opening the warehouse: as the last run left it, with every decision since.

    Raises ArtifactError where the file that a build of registry.current_aliases writes is missing or cannot be read.
    """
    home = files.home()
    stored, decisions = _stored(home), _unfolded(home)
    try:
        aliases: dict[str, dict[str, int]] = {}
        for row in stored["aliases"]:
            aliases.setdefault(row["model"], {})[row["alias"]] = row["version"]
        versions = [ModelVersion.from_row(row) for row in kept_rows(home)]
    except (ValueError, TypeError, KeyError) as error:
        raise _unreadable(home, error) from error
    known = {(version.model, version.version) for version in versions}
    for decision in decisions:
        if decision.alias and (decision.model, decision.version) in known:
            aliases.setdefault(decision.model, {})[decision.alias] = decision.version
    return Models(versions, aliases)


def kept_rows(home: Path) -> list[dict[str, Any]]:
    """The rows of registry.model_versions of a home folder, by model and version, as JSON has them. Raises ArtifactError."""
    since = [_from_record(decision.model_record) for decision in _unfolded(home) if decision.model_record]
    try:
        rows = [*_stored(home)["versions"], *since]
        return sorted(rows, key=lambda row: (row["model"], row["version"]))
    except (TypeError, KeyError) as error:
        raise _unreadable(home, error) from error


def to_record(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its JSON columns as text, to the letter as they were recorded."""
    return row | {name: json.dumps(row[name]) for name in JSON_COLUMNS if row[name] is not None}


def _from_record(record: dict[str, Any]) -> dict[str, Any]:
    return record | {name: json.loads(record[name]) for name in JSON_COLUMNS if record[name] is not None}


def _stored(home: Path) -> dict[str, Any]:
    try:
        stored = json.loads(models_file(home).read_text())
        stored["versions"], stored["aliases"], stored["decisions"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _unreadable(home, error) from error
    return dict(stored)


def _unfolded(home: Path) -> list[Decision]:
    """The decisions that the last run did not see."""
    folded = set(_stored(home)["decisions"])
    return [decision for decision in read_decisions(home) if decision.event_id not in folded]


def _unreadable(home: Path, error: Exception) -> ArtifactError:
    return ArtifactError(
        f"{models_file(home)}: no list of model versions ({type(error).__name__}). Build registry.current_aliases to write it: "
        "dbt run --select registry.current_aliases."
    )
