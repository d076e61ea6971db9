"""Labels that experts give to rows: checked against the task, and written as events of the kind `labels`."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ml.errors import ContractError, DeclarationError
from ml.events import read_events, user, write_events
from ml.labeling.answers import Answer, read_answers
from ml.labeling.tasks import LabelTask
from ml.quoting import quote

KIND = "labels"
EVENT = {"task": str, "row_id": str, "label": str, "labelled_by": str, "labelled_at": str}
_SHOWN = 10


@dataclass(frozen=True)
class Imported:
    """What came of an import: rows whose label was written, that had it already, and that have none in the file."""

    task: str
    labelled_by: str
    written: int
    unchanged: int
    empty: int


def import_labels(
    connection: duckdb.DuckDBPyConnection, task: LabelTask, path: Path, labelled_by: str | None = None
) -> Imported:
    """Write the labels of a file as events: all of them, or none where a row is wrong.

    connection: to the warehouse; the row ids of labels.<task>_votes are those that can be labelled. path: as `read_answers`
    takes it; a row without a label is passed over, and one that the same person gave the same label before is not
    written again. labelled_at is now where the file says nothing, and UTC where it names no zone.

    Raises ContractError with the first ten rows that are wrong: no row id or an unknown one, a label that is no class, a
    labelled_at that is no time or lies ahead, a row with two labels. Raises DeclarationError where no table would hold them.
    """
    _refuse_unread(connection)
    given = read_answers(path, task.row_id)
    filled = [answer for answer in given if answer.label]
    now, by = dt.datetime.now(dt.UTC), labelled_by or user()
    classes, unknown = _Classes(task.classes), _unknown(connection, task, filled)
    problems: dict[Answer, list[str]] = {}
    first: dict[str, Answer] = {}
    labels: dict[str, _Label] = {}
    for answer in filled:
        label = _Label(answer.row_id, classes.find(answer.label), by, _moment(answer.labelled_at))
        wrong = _wrong(answer, label, task, now, unknown)
        before = first.setdefault(answer.row_id, answer)
        if before.row_id and classes.find(before.label) != label.label:
            wrong.append(f"{task.row_id} '{answer.row_id}' has the label '{before.label}' on {before.place}")
        if wrong:
            problems[answer] = wrong
        labels[answer.row_id] = label
    if problems:
        raise ContractError(_said(path, problems))
    new = _new(task.name, labels.values())
    if new:
        write_events(KIND, [{"task": task.name} | label.event(now) for label in new], now)
    return Imported(task.name, by, len(new), len(labels) - len(new), len(given) - len(filled))


def _refuse_unread(connection: duckdb.DuckDBPyConnection) -> None:
    built = "select count(*) from duckdb_tables() where schema_name = 'labels' and table_name = 'expert_labels'"
    if not connection.execute(built).fetchall()[0][0]:
        raise DeclarationError(
            "the warehouse has no labels.expert_labels, so nobody would read the labels. Add models/labels/expert_labels.sql, "
            "{{ eiderdown.expert_labels() }}, and build it: dbt run -s expert_labels."
        )


@dataclass(frozen=True)
class _Label:
    """An expert's label; label: None where it is no class, labelled_at: None where nothing is said or it is no time."""

    row_id: str
    label: str | None
    labelled_by: str
    labelled_at: dt.datetime | None

    def event(self, now: dt.datetime) -> dict[str, Any]:
        return asdict(self) | {"labelled_at": (self.labelled_at or now).isoformat()}


def _wrong(answer: Answer, label: _Label, task: LabelTask, now: dt.datetime, unknown: set[str]) -> list[str]:
    """What is wrong with a row by itself."""
    found = []
    if not answer.row_id:
        found.append(f"has no {task.row_id}")
    elif answer.row_id in unknown:
        found.append(f"labels.{task.name}_votes has no row with {task.row_id} '{answer.row_id}'")
    if label.label is None:
        found.append(f"label '{answer.label}' is no class; those are {', '.join(task.classes)}")
    if answer.labelled_at and label.labelled_at is None:
        found.append(f"labelled_at is '{answer.labelled_at}', which is no time; write it like 2013-07-01T12:00:00Z")
    elif label.labelled_at is not None and label.labelled_at > now:
        found.append(f"labelled_at is {label.labelled_at.isoformat()}, which lies ahead")
    return found


class _Classes:
    """The classes of a task; also as a spreadsheet writes them, such as TRUE."""

    def __init__(self, classes: list[str]) -> None:
        self._exact = set(classes)
        self._folded: dict[str, list[str]] = defaultdict(list)
        for one in classes:
            self._folded[one.casefold()].append(one)

    def find(self, text: str) -> str | None:
        """The class that a text means; None where it is none, or not clear which."""
        if text in self._exact:
            return text
        found = self._folded.get(text.casefold(), [])
        return found[0] if len(found) == 1 else None


def _unknown(connection: duckdb.DuckDBPyConnection, task: LabelTask, answers: list[Answer]) -> set[str]:
    """The row ids that the task does not have."""
    given = {answer.row_id for answer in answers}
    connection.register("_given", pa.table({"row_id": pa.array(given, pa.string())}))
    try:
        known = connection.execute(
            f"select row_id from _given semi join {task.table('votes')} as votes "
            f"on _given.row_id = cast(votes.{quote(task.row_id)} as varchar)"
        ).fetchall()
    finally:
        connection.unregister("_given")
    return given - {row_id for (row_id,) in known}


def _new(task: str, labels: Iterable[_Label]) -> list[_Label]:
    """Those that say something new: a time that was not said before, or where none is given, another label than the last."""
    said: set[_Label] = set()
    last: dict[str, _Label] = {}
    # read_events gives them in the order of logged_at, so of equal times the one that was logged last stands.
    for event in read_events(KIND, EVENT):
        label = _Label(event["row_id"], event["label"], event["labelled_by"], _moment(event["labelled_at"]))
        if event["task"] == task and label.labelled_at is not None:
            said.add(label)
            before = last.get(label.row_id)
            if before is None or before.labelled_at is None or label.labelled_at >= before.labelled_at:
                last[label.row_id] = label
    # Without a time, the label is compared with the one that stands.
    said |= {replace(label, labelled_at=None) for label in last.values()}
    return [label for label in labels if label not in said]


def _said(path: Path, problems: dict[Answer, list[str]]) -> str:
    lines = [f"  {answer.place}: {'; '.join(found)}" for answer, found in list(problems.items())[:_SHOWN]]
    more = [f"  and {len(problems) - _SHOWN} more rows"] if len(problems) > _SHOWN else []
    head = (
        f"{path}: {len(problems)} rows cannot be taken, so no label was written. Mend them and import the file again."
    )
    return "\n".join([head, *lines, *more])


def _moment(text: str) -> dt.datetime | None:
    """A time, UTC where it names no zone; None where it is none."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
