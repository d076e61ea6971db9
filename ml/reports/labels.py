"""Section: labels, for each task its functions, the balance of its classes, where its labels come from, and how sure they are."""

from dataclasses import dataclass

import duckdb

from ml.labeling.tasks import LabelTask, Row, functions_of, label_tasks, rows, summary
from ml.reports.histograms import Shares

_BINS = 20
_FUNCTIONS = 100
_CLASSES = 20


@dataclass(frozen=True)
class LabelSection:
    """A task. version, method: of the newest label model.

    sources: rows by where their label comes from. balance: the share of each class, by the label model and of the labels.
    certainty: shares of the labels by functions whose probability lies in
    each of twenty bins of one width between 0 and 1; none without such labels.
    """

    name: str
    version: int | None
    method: str | None
    functions: list[Row]
    functions_left_out: int
    balance: Shares
    sources: dict[str, int]
    certainty: list[float]


def read_labels(connection: duckdb.DuckDBPyConnection) -> list[LabelSection]:
    """The label tasks of a warehouse as they are now; what is not built yet is empty."""
    return [_section(connection, task) for task in label_tasks(connection)]


def _section(connection: duckdb.DuckDBPyConnection, task: LabelTask) -> LabelSection:
    known = summary(connection, task)
    functions = functions_of(connection, task) if f"{task.name}_functions" in task.tables else []
    counts = {name: known[name] for name in ("functions", "experts", "unlabelled") if known[name] is not None}
    return LabelSection(
        name=task.name,
        version=known["version"],
        method=known["method"],
        functions=functions[:_FUNCTIONS],
        functions_left_out=max(0, len(functions) - _FUNCTIONS),
        balance=_balance(connection, task),
        sources=counts,
        certainty=_certainty(connection, task),
    )


def _balance(connection: duckdb.DuckDBPyConnection, task: LabelTask) -> Shares:
    counted, learned = {}, {}
    if task.name in task.tables:
        query = f"select cast(label as varchar) as label, count(*) as row_count from {task.table()} group by 1"
        counted = {row["label"]: row["row_count"] for row in rows(connection, query) if row["label"] is not None}
    if f"{task.name}_model" in task.tables:
        query = f"select class_balance from {task.table('model')} order by version desc limit 1"
        learned = next((row["class_balance"] for row in rows(connection, query)), {})
    total = sum(counted.values()) or 1
    shown = task.classes[:_CLASSES] if counted or learned else []
    return Shares([(one, learned.get(one, 0.0), counted.get(one, 0) / total) for one in shown])


def _certainty(connection: duckdb.DuckDBPyConnection, task: LabelTask) -> list[float]:
    if task.name not in task.tables:
        return []
    query = f"""
        select cast(least(floor(probability * {_BINS}), {_BINS - 1}) as integer) as bin, count(*) as row_count
        from {task.table()}
        where source = 'functions' and probability between 0 and 1
        group by bin
        """
    counts = {row["bin"]: row["row_count"] for row in rows(connection, query)}
    total = sum(counts.values())
    return [counts.get(place, 0) / total for place in range(_BINS)] if total else []
