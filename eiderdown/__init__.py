"""The public face of the platform."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from ml.datasets.file import read_dataset_file
from ml.datasets.versions import DatasetVersion, find_version, kept_versions
from ml.errors import ArtifactError, ReleaseError
from ml.quoting import literal
from ml.registry.models import choose_version
from ml.release.manifest import Manifest, current_release, read_manifest, releases_folder
from ml.scoring.predict_function import register
from ml.scoring.signature import Signature

if TYPE_CHECKING:
    import pyarrow as pa

    from eiderdown.notebook import Model
    from ml.scoring.scorer import Scorer


def connect(release: str | None = None) -> duckdb.DuckDBPyConnection:
    """A connection for reading a release, the current one if none is named: exactly what is served, for SQL.

    Beside it lie the recorded versions of the datasets, `datasets.<dataset>_v<version>`, and the functions predict(model,
    row), predict_probabilities and contributions of the release's models. It works while dbt holds the warehouse. Raises
    ReleaseError where there is no such release.
    """
    folder = releases_folder() / (release or current_release(releases_folder()))
    if not folder.is_dir():
        raise ReleaseError(
            f"there is no release {release} in {folder.parent}; `eiderdown releases` lists what is there."
        )
    manifest = read_manifest(folder)
    connection = duckdb.connect()
    register(connection, _find_scorer(folder, manifest))
    connection.execute(f"attach {literal(folder / manifest.database)} as release (read_only)")
    # Views need a database that can be written; its name is the first part of `datasets.<dataset>_v<version>`.
    connection.execute("attach ':memory:' as datasets")
    for version in _versions_there_are():
        connection.execute(f'create view datasets."{version.name}" as {_rows(version)}')
    connection.execute("use release")
    # A name that is no table of the release must not be looked for among the variables of the caller.
    connection.execute("set python_enable_replacements = false")
    connection.execute("set TimeZone = 'UTC'")
    return connection


def _find_scorer(folder: Path, manifest: Manifest) -> Callable[[str], "Scorer"]:
    """By name the models of a release, each loaded when it is first asked for."""
    models = {(model.model, model.version): model for model in manifest.models}

    @functools.cache
    def find(name: str) -> "Scorer":
        from ml.scoring.scorer import Scorer

        model = models[choose_version(name, models, manifest.aliases)]
        return Scorer(folder / model.file, model.artifact_format, model.sha256, Signature.from_json(model.signature))

    return find


def dataset(name: str, version: int | None = None) -> DatasetVersion:
    """A recorded version of a dataset, the latest if none is named; its rows are read when they are asked for.

    Raises DeclarationError where there is no such dataset or version.
    """
    return find_version(kept_versions(), name, version)


def datasets() -> list[DatasetVersion]:
    """The recorded versions of every dataset, by dataset and version."""
    return kept_versions()


def read_dataset(file: str | Path) -> DatasetVersion:
    """The dataset version that a file of `eiderdown datasets export` holds; needs no warehouse.

    Raises ArtifactError where the file is missing, altered, or no such file.
    """
    return read_dataset_file(Path(file))


def model(name: str) -> "Model":
    """A model by `<model>`, which is its champion, `<model>@<version>` or `<model>@<alias>`.

    Raises DeclarationError where there is none, with those that there are.
    """
    # Where they are used: what scores takes longer to import than what reads.
    from eiderdown.notebook import Model
    from ml.registry.models import kept_models

    return Model(kept_models().find(name))


def models() -> "list[Model]":
    """The versions of every model, by model and version."""
    from eiderdown.notebook import Model
    from ml.registry.models import kept_models

    return [Model(version) for version in kept_models().versions]


def features(view: str, keys: Any) -> "pa.Table":
    """The stored features of entities, as `POST /features/{view}` answers: by `<view>` its latest version, or `<view>_v<N>`.

    keys: a frame (as eiderdown.notebook.Model takes) with the entity's key columns. Returns a table with a row for each: the
    keys, `event_at`, the features, null unless the entity is present, and `<view>_v<N>_status`: present, not_found or expired
    (older than the view's ttl at the release's time).
    Raises DeclarationError where the current release has no such view, ContractError where a key is missing or of another type.
    """
    from eiderdown.notebook import stored_features

    return stored_features(view, keys)


def _versions_there_are() -> list[DatasetVersion]:
    """None where registry.datasets was built by an earlier version of the platform, which wrote no list."""
    try:
        return kept_versions()
    except ArtifactError:
        return []


def _rows(version: DatasetVersion) -> str:
    if version.path.is_file():
        return version.select(version.path.resolve())
    return f"select error({literal(f'datasets.{version.name}: {version.path} is missing; restore it.')}) as error"
