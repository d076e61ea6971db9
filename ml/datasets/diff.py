"""What differs between two versions of a dataset: rows, columns, distributions, and what they are made of."""

import difflib
import tempfile
from dataclasses import dataclass
from typing import Any

import duckdb

from ml.datasets.distribution import DistributionChange, compare_column
from ml.datasets.versions import DatasetVersion, in_memory
from ml.field_types import canonical
from ml.quoting import literal, quote

# A join of all columns of a wide dataset would not fit in memory, and spilling it takes longer than several joins.
COLUMNS_AT_ONCE = 8


@dataclass(frozen=True)
class RowChanges:
    """Counts of rows, matched by row id; `changed` rows are in both versions and differ in a column that both have.

    added, removed and changed are None where the versions do not have one row id.
    """

    old: int
    new: int
    added: int | None = None
    removed: int | None = None
    changed: int | None = None


@dataclass(frozen=True)
class DatasetDiff:
    """From one version of a dataset to another.

    columns_added, columns_removed: name to SQL type; columns_retyped: name to (old type, new type).
    changed_values: per column of both versions the matched rows whose value is another one; in a retyped column a value is
    the same where it converts to the other type and back. distributions: per column of both, but for the row id.
    views: feature view to (old version, new version), None where it has none. definition: path to (old, new), such as
    `request.tailnum`, with what is declared. sql: the lines that differ, as a unified diff.
    """

    dataset: str
    old: int
    new: int
    rows: RowChanges
    columns_added: dict[str, str]
    columns_removed: dict[str, str]
    columns_retyped: dict[str, tuple[str, str]]
    changed_values: dict[str, int]
    distributions: dict[str, DistributionChange]
    views: dict[str, tuple[int | None, int | None]]
    definition: dict[str, tuple[Any, Any]]
    sql: list[str]


def diff_versions(old: DatasetVersion, new: DatasetVersion, memory_limit: str | None = None) -> DatasetDiff:
    """Compare two versions by their files, in DuckDB.

    memory_limit: such as 2GB; what needs more is spilled to the folder for temporary files.
    Raises ArtifactError where a file is missing or altered.
    """
    common = [column for column in old.columns if column in new.columns]
    types = {column: (old.columns[column], new.columns[column]) for column in common}
    retyped = {column: pair for column, pair in types.items() if canonical(pair[0]) != canonical(pair[1])}
    with in_memory() as session, tempfile.TemporaryDirectory() as spilled:
        session.execute(f"set temp_directory = {literal(spilled)}")
        if memory_limit:
            session.execute(f"set memory_limit = {literal(memory_limit)}")
        for side, version in (("old_rows", old), ("new_rows", new)):
            session.execute(f"create view {side} as from read_parquet({literal(version.checked_path())})")
        rows = RowChanges(old.row_count, new.row_count)
        changed: dict[str, int] = {}
        row_id = old.definition["row_id"]
        if row_id == new.definition["row_id"]:
            values = {column: retyped.get(column) for column in common if column != row_id}
            rows, changed = _matched(session, row_id, row_id in retyped, values)
        distributions = {
            column: compare_column(session, "old_rows", "new_rows", column, types[column])
            for column in common
            if column not in (row_id, new.definition["row_id"])
        }
    return DatasetDiff(
        dataset=new.dataset,
        old=old.version,
        new=new.version,
        rows=rows,
        columns_added={column: kind for column, kind in new.columns.items() if column not in old.columns},
        columns_removed={column: kind for column, kind in old.columns.items() if column not in new.columns},
        columns_retyped=retyped,
        changed_values=changed,
        distributions=distributions,
        views=_differing(old.views, new.views),
        definition=_differing(_declared(old), _declared(new)),
        sql=list(difflib.unified_diff(_sql_lines(old), _sql_lines(new), "old", "new", lineterm="", n=1)),
    )


def _matched(
    session: duckdb.DuckDBPyConnection, row_id: str, as_text: bool, columns: dict[str, tuple[str, str] | None]
) -> tuple[RowChanges, dict[str, int]]:
    """Counts over the rows of both versions, joined by row id. columns: name to its two types where they differ."""
    old_id, new_id = f"old.{quote(row_id)}", f"new.{quote(row_id)}"
    is_same = f"cast({old_id} as varchar) = cast({new_id} as varchar)" if as_text else f"{old_id} = {new_id}"
    of_old, of_new, added, removed = session.execute(
        f"select count({old_id}), count({new_id}), count(*) filter ({old_id} is null), count(*) filter ({new_id} is null) "
        f"from old_rows as old full outer join new_rows as new on {is_same}"
    ).fetchall()[0]
    changed: dict[str, int] = {}
    session.execute(f"create temporary table changed as select {quote(row_id)} as row_id from new_rows limit 0")
    for start in range(0, len(columns), COLUMNS_AT_ONCE):
        batch = list(columns.items())[start : start + COLUMNS_AT_ONCE]
        differs = [_differs(column, types) for column, types in batch]
        session.execute(
            f"create or replace temporary table differing as select {new_id} as row_id, [{', '.join(differs)}] as differs "
            f"from old_rows as old inner join new_rows as new on {is_same} where {' or '.join(differs)}"
        )
        counts = ", ".join(f"count(*) filter (differs[{place + 1}])" for place in range(len(batch)))
        of_batch = session.execute(f"select {counts} from differing").fetchall()[0]
        changed |= dict(zip((column for column, _ in batch), of_batch, strict=True))
        session.execute("insert into changed select row_id from differing")
    changed_rows = session.execute("select count(*) from (select distinct row_id from changed)").fetchall()[0][0]
    return RowChanges(of_old, of_new, added, removed, changed_rows), changed


def _differs(column: str, types: tuple[str, str] | None) -> str:
    old, new = f"old.{quote(column)}", f"new.{quote(column)}"
    if types is None:
        return f"{old} is distinct from {new}"
    return f"(try_cast({old} as {types[1]}) is distinct from {new} or try_cast({new} as {types[0]}) is distinct from {old})"


def _declared(version: DatasetVersion) -> dict[str, Any]:
    """What is declared of a version beside its columns and views, flat."""
    definition = version.definition
    return {
        "row_id": definition["row_id"],
        "at": definition["at"],
        "label_source": definition.get("label_source"),
        **{f"request.{field}": declared for field, declared in definition["request"].items()},
        **{f"not_null.{column}": True for column in definition["not_null"]},
        **{f"expression.{expression.name}": expression.expression for expression in version.expressions},
    }


def _differing(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys whose values differ, with both; None for a key that is not there."""
    return {key: (old.get(key), new.get(key)) for key in old | new if old.get(key) != new.get(key)}


def _sql_lines(version: DatasetVersion) -> list[str]:
    return [line for line in version.definition["sql"].splitlines() if line.strip()]
