"""A file of labels that an expert filled in: CSV, JSON or Parquet, its values as text."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ml.errors import ContractError, DeclarationError

FORMATS = (".csv", ".json", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Answer:
    """A row of the file; '' where it has no value. place: such as 'line 3', counted as an editor does."""

    place: str
    row_id: str
    label: str
    labelled_at: str


def read_answers(path: Path, row_id: str) -> list[Answer]:
    """The rows of a file with the columns `row_id` (by the name given here), `label` and, where it has it, `labelled_at`.

    Raises DeclarationError where there is no such file, or none of a known format, and ContractError where it cannot be
    read or lacks a column.
    """
    if path.suffix.lower() not in FORMATS:
        raise DeclarationError(f"{path} is none of {', '.join(FORMATS)}; write the labels as one of these.")
    if not path.is_file():
        raise DeclarationError(f"{path}: no such file; check the path.")
    read = {".csv": _csv, ".parquet": _parquet}.get(path.suffix.lower(), _json)
    answers = []
    try:
        for place, row in read(path):
            for column in (row_id, "label"):
                if column not in row:
                    raise ContractError(
                        f"{path}, {place}: has no column {column}, only {', '.join(map(str, row))}. Name the column of row "
                        f"ids {row_id} and that of the labels label."
                    )
            answers.append(Answer(place, _text(row[row_id]), _text(row["label"]), _text(row.get("labelled_at"))))
    except (ValueError, RecursionError, csv.Error, duckdb.Error) as error:
        raise ContractError(f"{path} cannot be read: {error}. Save it as UTF-8, in the format of its ending.") from None
    return answers


def _csv(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    # Spreadsheets write a byte order mark, and a semicolon where the comma is the decimal point.
    with path.open(encoding="utf-8-sig", newline="") as file:
        separator = max(",;\t", key=file.readline().count)
        file.seek(0)
        reader = csv.DictReader(file, delimiter=separator, strict=True)
        names = reader.fieldnames or []
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"it has two columns {', '.join(sorted(repeated))}")
        for row in reader:
            if None in row:
                raise ValueError(f"line {reader.line_num} has more values than there are columns")
            yield f"line {reader.line_num}", row


def _json(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    text = path.read_text(encoding="utf-8-sig")
    if text.lstrip().startswith("["):
        rows = [(f"row {place}", row) for place, row in enumerate(json.loads(text), 1)]
    else:
        lines = enumerate(text.split("\n"), 1)
        rows = [(f"line {place}", json.loads(line)) for place, line in lines if line.strip()]
    for place, row in rows:
        if not isinstance(row, dict):
            raise ValueError(f"{place} is no object")
        yield place, row


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        answered = connection.execute("select cast(columns(*) as varchar) from read_parquet(?)", [str(path)])
        names = [column[0] for column in answered.description or []]
        for place, row in enumerate(answered.fetchall(), 1):
            yield f"row {place}", dict(zip(names, row, strict=True))


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value.strip() if isinstance(value, str) else json.dumps(value)
    text.encode()  # Half a surrogate pair, which JSON can hold, is no text.
    return text
