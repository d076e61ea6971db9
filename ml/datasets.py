"""Dataset versions: what they are made of, and their rows as they were recorded."""

import json
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from ml import files
from ml.contracts import check_table
from ml.errors import ArtifactError, DeclarationError
from ml.signature import Expression, RequestField, ViewInput


@dataclass(frozen=True)
class DatasetVersion:
    """A row of registry.datasets."""

    dataset: str
    version: int
    definition: dict[str, Any]
    column_hashes: dict[str, str]
    artifact: str
    artifact_sha256: str

    @property
    def request(self) -> list[RequestField]:
        """What a client sends."""
        return [RequestField(name, **field) for name, field in self.definition["request"].items()]

    @property
    def expressions(self) -> list[Expression]:
        """The request-time features."""
        return [Expression(**expression) for expression in self.definition["expressions"]]

    def read(self, session: duckdb.DuckDBPyConnection, columns: list[str]) -> pa.Table:
        """Columns of the version's rows, ordered by row id, checked against the contract.

        Raises ArtifactError where the file is missing or altered, ContractError where the rows are not as declared.
        """
        path = files.home() / self.artifact
        if not path.is_file() or files.sha256(path) != self.artifact_sha256:
            raise ArtifactError(
                f"{path}: missing or altered; it holds version {self.version} of the dataset {self.dataset}. "
                "Restore it, or change the dataset to record a new version."
            )
        names = ", ".join(f'"{column}"' for column in columns)
        query = f'select {names} from read_parquet(?) order by "{self.definition["row_id"]}"'
        return check_table(
            session.sql(query, params=[str(path)]).to_arrow_table(),
            f"datasets.{self.dataset}",
            {column: self.definition["columns"][column] for column in columns},
            self.definition["not_null"],
        )


def dataset_version(datasets: duckdb.DuckDBPyRelation, dataset: str, version: int | None = None) -> DatasetVersion:
    """A recorded version of a dataset, the latest if none is named. Raises DeclarationError where there is none."""
    rows = datasets.select(
        "dataset, version, cast(definition as varchar), column_hashes, artifact, artifact_sha256"
    ).fetchall()
    found = [row for row in rows if row[0] == dataset and version in (None, row[1])]
    if not found:
        known = ", ".join(sorted({row[0] for row in rows})) or "none"
        raise DeclarationError(
            f"the dataset '{dataset}' has no version {version or 'yet'} in registry.datasets (datasets there: {known}). "
            "Check the name, or build the dataset and registry.datasets first."
        )
    name, number, definition, hashes, artifact, digest = max(found, key=lambda row: row[1])
    return DatasetVersion(name, number, json.loads(definition), hashes, artifact, digest)


def view_inputs(dataset: DatasetVersion, feature_views: duckdb.DuckDBPyRelation) -> list[ViewInput]:
    """The feature views that a dataset reads, with their registered fingerprints and ttl."""
    registered = {
        (view, version): (fingerprint, ttl)
        for view, version, fingerprint, ttl in feature_views.select("view, version, fingerprint, epoch(ttl)").fetchall()
    }
    inputs = []
    for view in dataset.definition["views"]:
        fingerprint, ttl = registered[view["view"], view["version"]]
        inputs.append(ViewInput(view["view"], view["version"], fingerprint, view["entity"], ttl, view["features"]))
    return inputs
