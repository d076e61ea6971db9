"""Dataset versions: what they are made of, and their rows as they were recorded."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from ml import files
from ml.contracts.check import check_table
from ml.errors import ArtifactError, DeclarationError
from ml.kept import kept
from ml.promotion.decision import read_decisions
from ml.quoting import literal, quote
from ml.scoring.signature import Expression, RequestField, ViewInput

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class DatasetVersion:
    """A row of registry.datasets.

    definition: {row_id, at, labels, columns, not_null, request, expressions, views, sql}, and label_source where it is declared;
    artifact: the Parquet file of the rows, under the home folder.
    """

    dataset: str
    version: int
    fingerprint: str
    row_count: int
    definition: dict[str, Any]
    column_hashes: dict[str, str]
    artifact: str
    artifact_sha256: str
    created_at: dt.datetime
    origin: str | None = None
    """Where it was brought over from, as `dev:orders@2`; None for a version that was recorded here."""
    label_sources: dict[str, int] | None = None
    """How many rows have their label from where ('none' of a null); None where the dataset does not declare label_source."""

    @property
    def name(self) -> str:
        """What SQL calls it behind `datasets.`, such as orders_v2."""
        return f"{self.dataset}_v{self.version}"

    @property
    def path(self) -> Path:
        """The Parquet file of the rows, ordered by row id."""
        return files.home() / self.artifact

    @property
    def columns(self) -> dict[str, str]:
        """The contract: name to SQL type."""
        return dict(self.definition["columns"])

    @property
    def views(self) -> dict[str, int]:
        """The feature views that it is made of, and their versions."""
        return {view["view"]: view["version"] for view in self.definition["views"]}

    @property
    def not_features(self) -> set[str]:
        """The columns that no model may take as a feature: the row id, the prediction time and the labels."""
        definition = self.definition
        return {definition["row_id"], definition["at"], *definition.get("labels", [])}

    @property
    def request(self) -> list[RequestField]:
        """What a client sends."""
        return [RequestField(name, **field) for name, field in self.definition["request"].items()]

    @property
    def expressions(self) -> list[Expression]:
        """The request-time features."""
        return [Expression(**expression) for expression in self.definition["expressions"]]

    def checked_path(self) -> Path:
        """The Parquet file, if it is as it was recorded. Raises ArtifactError where it is missing or altered."""
        if not self.path.is_file() or files.sha256(self.path) != self.artifact_sha256:
            raise ArtifactError(
                f"{self.path}: missing or altered; it holds version {self.version} of the dataset {self.dataset}. "
                "Restore it, or change the dataset to record a new version."
            )
        return self.path

    def read(self, session: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> pa.Table:
        """Columns of the version's rows, ordered by row id, checked against the contract.

        Raises ArtifactError where the file is missing or altered, ContractError where the rows are not as declared.
        """
        query = f"{self.select(self.checked_path(), columns)} order by {quote(self.definition['row_id'])}"
        return self._check(session.sql(query).to_arrow_table(), columns)

    def select(self, path: Path, columns: Sequence[str] | None = None) -> str:
        """SQL that reads columns, or all, of the version's file at a path, with the types of the contract."""
        # Parquet knows no fixed sizes: FLOAT[3] comes back as FLOAT[].
        names = self.columns if columns is None else columns
        typed = ", ".join(f"cast({quote(name)} as {self.columns[name]}) as {quote(name)}" for name in names)
        return f"select {typed} from read_parquet({literal(path)})"

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows, ordered by row id: some columns, or all of the contract.

        Raises DeclarationError where a column is not of the dataset, and what `read` raises.
        """
        if unknown := [column for column in columns or [] if column not in self.columns]:
            raise DeclarationError(
                f"version {self.version} of the dataset {self.dataset} has no column {', '.join(unknown)}. "
                f"Did you mean one of {', '.join(self.columns)}?"
            )
        with in_memory() as session:
            return self.read(session, list(self.columns) if columns is None else columns)

    def to_pandas(self, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """`to_arrow` as a frame of Arrow-backed columns, in which no value becomes a float."""
        import pandas as pd

        return self.to_arrow(columns).to_pandas(types_mapper=pd.ArrowDtype)

    def relation(self) -> duckdb.DuckDBPyRelation:
        """The rows for SQL, read when the relation is; larger than memory as they may be.

        Raises ArtifactError where the file is missing or altered now.
        """
        return in_memory().sql(self.select(self.checked_path()))

    def read_again(self, session: duckdb.DuckDBPyConnection, columns: Sequence[str], rows: pa.Table) -> pa.Table:
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

    def _check(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        return check_table(
            table,
            f"datasets.{self.dataset}",
            {column: self.definition["columns"][column] for column in columns},
            self.definition["not_null"],
        )


def dataset_version(datasets: duckdb.DuckDBPyRelation, dataset: str, version: int | None = None) -> DatasetVersion:
    """A recorded version of a dataset, the latest of its own if none is named. Raises DeclarationError where there is none.

    datasets: registry.datasets.
    """
    names = [field.name for field in fields(DatasetVersion)]
    selected = [f"cast({name} as varchar)" if name == "definition" else name for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in datasets.select(", ".join(selected)).fetchall()]
    versions = [DatasetVersion(**row | {"definition": json.loads(row["definition"])}) for row in rows]
    return find_version(versions, dataset, version)


def find_version(versions: Sequence[DatasetVersion], dataset: str, version: int | None = None) -> DatasetVersion:
    """The version of a dataset with a number; if none is named, the latest that was recorded here and not brought over.

    Raises DeclarationError where there is none.
    """
    of_dataset = {found.version: found for found in versions if found.dataset == dataset}
    if not of_dataset:
        known = ", ".join(sorted({found.dataset for found in versions})) or "none"
        raise DeclarationError(
            f"the dataset '{dataset}' has no version yet in registry.datasets (datasets there: {known}). "
            "Check the name, or build the dataset and registry.datasets first."
        )
    own = [number for number, found in of_dataset.items() if found.origin is None]
    number = max(own or of_dataset) if version is None else version
    if number not in of_dataset:
        raise DeclarationError(
            f"the dataset '{dataset}' has no version {number} in registry.datasets. "
            f"Did you mean one of {', '.join(map(str, sorted(of_dataset)))}?"
        )
    return of_dataset[number]


def kept_versions() -> list[DatasetVersion]:
    """The recorded versions of every dataset, by dataset and number: registry.datasets, without opening the warehouse, with
    those that were brought over since.

    Raises ArtifactError where the file that a build of registry.datasets writes is missing or cannot be read.
    """
    return [
        DatasetVersion(**row | {"created_at": dt.datetime.fromisoformat(row["created_at"])})
        for row in kept_dataset_rows(files.home())
    ]


def kept_dataset_rows(home: Path) -> list[dict[str, Any]]:
    """The rows of `kept_versions`, of a home folder, as JSON has them. Raises ArtifactError as that does."""
    path = home / "artifacts" / "datasets" / "versions.json"
    try:
        rows = {(row["dataset"], row["version"]): row for row in json.loads(path.read_text())}
        for decision in read_decisions(home):
            if record := decision.dataset_record:
                rows.setdefault(
                    (record["dataset"], record["version"]), record | {"definition": json.loads(record["definition"])}
                )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(
            f"{path}: no list of dataset versions ({type(error).__name__}). Build registry.datasets to write it: "
            "dbt run --select registry.datasets."
        ) from error
    return [row for _, row in sorted(rows.items())]


def in_memory() -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own, in memory, whose times are UTC."""
    session = duckdb.connect()
    session.execute("set TimeZone = 'UTC'")
    return session


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
