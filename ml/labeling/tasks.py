"""Label tasks as a warehouse holds them: schema `labels`, with a table <task>_votes for each task and others beside it."""

from dataclasses import dataclass
from typing import Any

import duckdb

from ml.declared import hint
from ml.errors import DeclarationError, WarehouseError
from ml.labeling.declaration import recorded_declaration
from ml.quoting import quote

Row = dict[str, Any]


@dataclass(frozen=True)
class LabelTask:
    """A task, by config.meta.votes of its votes model as the table was built.

    row_id: the column that names a row; classes: as text, by their places; keep: columns of the votes that are no functions;
    tables: those of the task that there are, such as `churned_votes`.
    """

    name: str
    row_id: str
    classes: list[str]
    keep: list[str]
    tables: list[str]

    def table(self, part: str = "") -> str:
        """A table of the task for a query: `part` is 'votes', 'functions', …, '' for the labels. Raises WarehouseError."""
        name = f"{self.name}_{part}" if part else self.name
        if name not in self.tables:
            raise WarehouseError(
                f"the warehouse has no table labels.{name}; where the project has no model of that name, write it, and "
                f"build it: dbt run -s +{name}"
            )
        return f"labels.{quote(name)}"


def label_tasks(connection: duckdb.DuckDBPyConnection) -> list[LabelTask]:
    """The tasks of a warehouse, by name."""
    comments = dict(
        connection.execute(
            "select table_name, comment from duckdb_tables() "
            "where database_name = current_database() and schema_name = 'labels' order by table_name"
        ).fetchall()
    )
    found = []
    for table, comment in comments.items():
        recorded = recorded_declaration(comment) if table.endswith("_votes") else None
        if recorded:
            declared, _ = recorded
            task = table.removesuffix("_votes")
            of_task = [name for name in comments if name == task or name.startswith(f"{task}_")]
            found.append(LabelTask(task, declared["row_id"], declared["classes"], declared["keep"], of_task))
    return found


def find_task(connection: duckdb.DuckDBPyConnection, name: str) -> LabelTask:
    """The task of a name. Raises DeclarationError where the warehouse has none."""
    tasks = {task.name: task for task in label_tasks(connection)}
    if name not in tasks:
        listed = ", ".join(tasks) or "none"
        raise DeclarationError(
            f"the warehouse has no label task '{name}'; those are {listed}.{hint(name, tasks)} A task is a dbt model "
            "<task>_votes with config.meta.votes, once dbt run has built it."
        )
    return tasks[name]


def summary(connection: duckdb.DuckDBPyConnection, task: LabelTask) -> Row:
    """What there is of a task: task, classes, version and method of the newest label model and when it was made, and how many
    rows have a label of an expert, of functions, or none. What is not built yet is None.
    """
    known: Row = {"task": task.name, "classes": task.classes, "version": None, "method": None, "created_at": None}
    if f"{task.name}_model" in task.tables:
        newest = f"select version, method, created_at from {task.table('model')} order by version desc limit 1"
        for row in rows(connection, newest):
            known |= row
    counts: Row = {"experts": None, "functions": None, "unlabelled": None}
    if task.name in task.tables:
        query = (
            "select count(*) filter (source = 'expert') as experts, count(*) filter (source = 'functions') as functions, "
            f"count(*) filter (source is null) as unlabelled from {task.table()}"
        )
        counts = rows(connection, query)[0]
    return known | counts


def functions_of(connection: duckdb.DuckDBPyConnection, task: LabelTask) -> list[Row]:
    """The rows of labels.<task>_functions. Raises WarehouseError where it is not built."""
    return rows(connection, f"from {task.table('functions')}")


def dependent(functions: list[Row]) -> list[int | None]:
    """For each row of labels.<task>_functions the number, from 1, of its group of functions that depend on each other; None of
    one that stands alone.
    """
    groups: dict[frozenset[str], int] = {}
    return [
        groups.setdefault(frozenset([row["function"], *row["copies"]]), len(groups) + 1) if row["copies"] else None
        for row in functions
    ]


def candidates_of(connection: duckdb.DuckDBPyConnection, task: LabelTask, slice_: str, limit: int) -> list[Row]:
    """The rows of labels.<task>_candidates of a slice, the best first, `limit` at most.

    Raises WarehouseError where it is not built, and DeclarationError where it has no such slice.
    """
    _refuse_unknown_slice(connection, task, slice_)
    return rows(
        connection,
        f"from {task.table('candidates')} where slice = $slice order by rank limit $most",
        slice=slice_,
        most=limit,
    )


def questions_of(connection: duckdb.DuckDBPyConnection, task: LabelTask, slice_: str, limit: int) -> list[Row]:
    """The same rows as they are put to an expert, as text: the row id, an empty `label`, and the other columns of the votes.

    The label model's own opinion is left out, so that it leads nobody.
    """
    _refuse_unknown_slice(connection, task, slice_)
    row_id = quote(task.row_id)
    shown = rows(
        connection,
        f"""
        select cast(columns(votes.*) as varchar)
        from {task.table("candidates")} as candidates
        inner join {task.table("votes")} as votes on votes.{row_id} = candidates.{row_id}
        where candidates.slice = $slice
        order by candidates.rank
        limit $most
        """,
        slice=slice_,
        most=limit,
    )
    first = {task.row_id, "label"}
    return [
        {task.row_id: row[task.row_id], "label": ""} | {name: row[name] for name in row if name not in first}
        for row in shown
    ]


def rows(connection: duckdb.DuckDBPyConnection, query: str, **parameters: Any) -> list[Row]:
    """The rows of a query, by column."""
    answered = connection.execute(query, parameters)
    columns = [column[0] for column in answered.description or []]
    return [dict(zip(columns, row, strict=True)) for row in answered.fetchall()]


def _refuse_unknown_slice(connection: duckdb.DuckDBPyConnection, task: LabelTask, slice_: str) -> None:
    found = [
        row["slice"] for row in rows(connection, f"select distinct slice from {task.table('candidates')} order by 1")
    ]
    if found and slice_ not in found:
        raise DeclarationError(
            f"labels.{task.name}_candidates has no slice '{slice_}'; those are {', '.join(found)}.{hint(slice_, found)} "
            "The slices stand in the call of label_candidates()."
        )
