"""Dataset versions: what they are made of, and their rows as they were recorded."""

import json
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from ml import files
from ml.contracts import check_table
from ml.errors import ArtifactError, DeclarationError
from ml.kept import kept
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
        return self._check(session.sql(query, params=[str(path)]).to_arrow_table(), columns)

    def read_again(self, session: duckdb.DuckDBPyConnection, columns: list[str], rows: pa.Table) -> pa.Table:
        """The version's definition over the warehouse of today: columns for other rows than it was recorded with.

        rows: a table with the row ids that are asked for, in their order. Raises DeclarationError where the definition
        cannot be run any more, or gives no row for one of them.
        """
        row_id = self.definition["row_id"]
        session.register("_asked", rows.select([row_id]).append_column("_place", pa.array(range(rows.num_rows))))
        names = ", ".join(f'made."{column}"' for column in columns)
        query = (
            f'select {names} from ({self.definition["sql"]}) as made inner join _asked on made."{row_id}" = _asked."{row_id}" '
            "order by _asked._place"
        )
        where = f"version {self.version} of the dataset {self.dataset}, which the champion was trained on,"
        remedy = "Keep what it reads until a newer version is champion."
        try:
            table = session.sql(query).to_arrow_table()
        except duckdb.Error as error:
            raise DeclarationError(f"{where} cannot be made again: {error}. {remedy}") from error
        finally:
            session.unregister("_asked")
        if table.num_rows != rows.num_rows:
            raise DeclarationError(
                f"{where} has {table.num_rows} of the {rows.num_rows} rows that the newest version is compared on. {remedy}"
            )
        return self._check(table, columns)

    def _check(self, table: pa.Table, columns: list[str]) -> pa.Table:
        return check_table(
            table,
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


def model_inputs(
    dataset: DatasetVersion, feature_views: duckdb.DuckDBPyRelation, features: list[str]
) -> tuple[list[ViewInput], list[Expression]]:
    """The feature views and request-time features that some features of a dataset need, and no others.

    Raises DeclarationError where one of them is made of something that no request and no feature view holds: a server
    could not make it.
    """
    needed = {feature.lower() for feature in features}
    expressions: list[Expression] = []
    for expression in reversed(dataset.expressions):
        if expression.name.lower() in needed:
            expressions.insert(0, expression)
            needed |= set(json.loads(kept("ml.expressions.request_views", "expression_columns", expression.expression)))
    stored = [feature for view in dataset.definition["views"] for feature in view["features"]]
    computed = [expression.name for expression in expressions]
    known = {name.lower() for name in [*dataset.definition["request"], dataset.definition["at"], *stored, *computed]}
    if unknown := sorted(needed - known):
        raise DeclarationError(
            f"the dataset {dataset.dataset} makes {', '.join(unknown)} in its own SQL, which a server does not run. Move "
            "it to a feature view, stored or computed from the request (config.meta.feature_view.inputs), or leave it out of "
            "the model (config.meta.model.features: {exclude: [...]})."
        )
    registered = {
        (view, version): (fingerprint, ttl)
        for view, version, fingerprint, ttl in feature_views.select("view, version, fingerprint, epoch(ttl)").fetchall()
    }
    views = []
    for view in dataset.definition["views"]:
        if needed & {feature.lower() for feature in view["features"]}:
            fingerprint, ttl = registered[view["view"], view["version"]]
            views.append(ViewInput(view["view"], view["version"], fingerprint, view["entity"], ttl, view["features"]))
    return views, expressions
