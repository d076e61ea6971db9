"""A release's manifest: what it holds, under which checks. The truth about releases is the manifests on disk.

Layout of the folder `releases` under the home folder:

    current                         the name of the release that is served, replaced atomically
    <release>/manifest.json         this module's Manifest
    <release>/release.duckdb        the same rows, for SQL
    <release>/features/<view>_v<N>.arrow
    <release>/models/<model>_v<N>.<suffix>
"""

import dataclasses
import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml import files
from ml.digest import digest
from ml.errors import ReleaseError

FORMAT = 3
HASH_COLUMN = "_key_hash"


@dataclass(frozen=True)
class ReleasedView:
    """The latest known row of each entity of a feature view, as Arrow IPC sorted by HASH_COLUMN."""

    view: str
    version: int
    fingerprint: str
    entity: list[str]
    event_at: str
    known_at: str
    ttl_seconds: float | None
    columns: dict[str, str]
    file: str
    sha256: str
    row_count: int

    @property
    def name(self) -> str:
        """The view with its version."""
        return f"{self.view}_v{self.version}"


@dataclass(frozen=True)
class ReleasedModel:
    """A version of a model with its artifact and signature. `signature` and `canary` are JSON texts."""

    model: str
    version: int
    task: str
    estimator: str
    artifact_format: str
    file: str
    sha256: str
    signature: str
    canary: str

    @property
    def name(self) -> str:
        """The model with its version."""
        return f"{self.model}_v{self.version}"


@dataclass(frozen=True)
class Manifest:
    """What a release holds. Its identity is its content: when it was made stays out of it.

    `replay`: the world stands still at as_of, so that is when predictions are made unless a request says otherwise.
    `serving`: what models declare of how they are served, {model: {"slo_ms": 20, "experiment": {…}}}; nothing of those that
    declare nothing.
    `catalog`: a digest of what the registry says of the views to those who look for features, which is served as well.
    """

    release: str
    as_of: str
    replay: bool
    views: list[ReleasedView]
    models: list[ReleasedModel]
    aliases: dict[str, dict[str, int]]
    serving: dict[str, dict[str, Any]]
    catalog: str
    created_at: str
    database: str
    database_sha256: str

    def to_json(self) -> str:
        """The manifest as it is stored."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=1, sort_keys=True)


def identity(
    as_of: str,
    replay: bool,
    views: list[ReleasedView],
    models: list[ReleasedModel],
    aliases: dict[str, dict[str, int]],
    serving: dict[str, dict[str, Any]],
    catalog: str,
) -> str:
    """The name of the release with this content: 16 hex digits."""
    parts = [*map(dataclasses.asdict, views), *map(dataclasses.asdict, models)]
    return digest([as_of, replay, *parts, aliases, serving, catalog])[:16]


def releases_folder() -> Path:
    """The folder that holds the releases."""
    return files.home() / "releases"


def current_release(folder: Path) -> str:
    """The name of the current release. Raises ReleaseError where none has been published."""
    try:
        return (folder / "current").read_text().strip()
    except FileNotFoundError:
        raise ReleaseError(f"{folder}: no release has been published; run `dbt build` first.") from None
    except ValueError:
        raise ReleaseError(f"{folder / 'current'}: not the name of a release; publish again.") from None


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest in a release's folder.

    Raises ReleaseError where it is missing, torn, of another format, or names a file outside the folder.
    """
    try:
        stored: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        if stored.pop("format") != FORMAT:
            raise ReleaseError(f"{folder}: written by another version of the platform; publish again with this one.")
        manifest = Manifest(
            **{
                **stored,
                "views": [ReleasedView(**view) for view in stored["views"]],
                "models": [ReleasedModel(**model) for model in stored["models"]],
            }
        )
        named = identity(
            manifest.as_of,
            manifest.replay,
            manifest.views,
            manifest.models,
            manifest.aliases,
            manifest.serving,
            manifest.catalog,
        )
        dt.datetime.fromisoformat(manifest.as_of)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(f"{folder}: the manifest cannot be read ({error}); restore it or publish again.") from error
    for file in [
        *(view.file for view in manifest.views),
        *(model.file for model in manifest.models),
        manifest.database,
    ]:
        if not (folder / file).resolve().is_relative_to(folder.resolve()):
            raise ReleaseError(f"{folder}: the manifest names {file}, which is outside the release; publish again.")
    if not named == manifest.release == folder.name:
        raise ReleaseError(f"{folder}: the manifest was altered, its content is that of {named}; publish again.")
    return manifest


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file of a release with its SHA-256. Raises ReleaseError for one that is missing or altered."""
    expected = {manifest.database: manifest.database_sha256}
    expected |= {view.file: view.sha256 for view in manifest.views}
    expected |= {model.file: model.sha256 for model in manifest.models}
    for file, sha256 in expected.items():
        if not (folder / file).is_file() or files.sha256(folder / file) != sha256:
            raise ReleaseError(f"{folder / file}: missing or altered; publish again.")


def all_manifests(folder: Path) -> tuple[list[Manifest], list[str]]:
    """Every release on disk, oldest first; and what is wrong with those that cannot be read."""
    manifests, problems = [], []
    for path in sorted(folder.glob("[0-9a-f]*/")):
        try:
            manifests.append(read_manifest(path))
        except ReleaseError as error:
            problems.append(str(error))
    return sorted(manifests, key=lambda manifest: manifest.created_at), problems
