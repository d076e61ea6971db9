"""The registry of models for readers that must not open the warehouse: versions, aliases, and a model that can score."""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml import files
from ml.baseline import Baseline
from ml.declared import hint
from ml.errors import ArtifactError, DeclarationError
from ml.promotion.decision import Decision, read_decisions
from ml.scorer import Scorer
from ml.signature import Signature

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
        return cls(
            **row
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
        model, _, which = name.partition("@")
        versions = {version.version: version for version in self.versions if version.model == model}
        if not versions:
            known = sorted({version.model for version in self.versions})
            raise DeclarationError(
                f"there is no model '{model}' with a version; the models are {', '.join(known) or 'none'}."
                f"{hint(model, known)} Build it first, or check the name."
            )
        aliases = self.aliases.get(model, {})
        number = int(which) if which.isascii() and which.isdigit() else aliases.get(which or "champion")
        if number not in versions:
            raise DeclarationError(
                f"the model {model} has no version or alias '{which or 'champion'}'; the versions are "
                f"{', '.join(map(str, sorted(versions)))}, the aliases {', '.join(aliases) or 'none'}."
            )
        return versions[number]


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
    brought_over = [
        row | {name: json.loads(row[name]) for name in JSON_COLUMNS if row[name] is not None}
        for row in (decision.model_record for decision in _unfolded(home))
        if row
    ]
    try:
        rows = [*_stored(home)["versions"], *brought_over]
        return sorted(rows, key=lambda row: (row["model"], row["version"]))
    except (TypeError, KeyError) as error:
        raise _unreadable(home, error) from error


def to_record(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its JSON columns as text, to the letter as they were recorded."""
    return row | {name: json.dumps(row[name]) for name in JSON_COLUMNS if row[name] is not None}


def _stored(home: Path) -> dict[str, Any]:
    try:
        stored = json.loads(_path(home).read_text())
        stored["versions"], stored["aliases"], stored["decisions"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _unreadable(home, error) from error
    return dict(stored)


def _unfolded(home: Path) -> list[Decision]:
    """The decisions that the last run did not see."""
    folded = set(_stored(home)["decisions"])
    return [decision for decision in read_decisions(home) if decision.event_id not in folded]


def _path(home: Path) -> Path:
    return home / "artifacts" / "models" / "versions.json"


def _unreadable(home: Path, error: Exception) -> ArtifactError:
    return ArtifactError(
        f"{_path(home)}: no list of model versions ({type(error).__name__}). Build registry.current_aliases to write it: "
        "dbt run --select registry.current_aliases."
    )
