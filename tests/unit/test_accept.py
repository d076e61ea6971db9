"""Suggestions of several windows become one change; a file that has changed meanwhile is left as it is."""

from pathlib import Path
from typing import Any

import pytest

from ml.errors import DeclarationError
from ml.schemas.accept import applied, merged, write

FILE = """\
models:
  - name: orders
    columns:
      - {name: state, config: {meta: {domain: [new, paid]}}}  # of three
      - {name: amount, config: {meta: {domain: {min: 0, max: 1.5}}}}
      - {name: step, config: {meta: {domain: {values: [1, 2]}}}}
      - {name: paid_at, config: {meta: {domain: {max: 2024-12-31}}}}
"""


def _suggested(column: str | None, path: list[str], was: Any, value: Any) -> dict[str, Any]:
    return {"model": "orders", "column": column, "path": path, "was": was, "value": value}


VALUES, LOW, HIGH = ["domain", "values"], ["domain", "min"], ["domain", "max"]


@pytest.mark.parametrize(
    ("suggested", "old", "new"),
    [
        (
            [("state", VALUES, ["new", "paid"], ["new", "paid", "lost"]), ("state", VALUES, ["new", "paid"], ["new"]),
             ("state", VALUES, ["new", "paid"], ["new", "paid", "sent", "lost"])],
            "[new, paid]", "[new, lost, sent]",
        ),
        ([("amount", LOW, "0", "-2.0"), ("amount", LOW, "0", "-7.5"), ("amount", LOW, "0", "-1")], "min: 0", "min: -7.5"),
        ([("amount", HIGH, "1.5", "9.0"), ("amount", HIGH, "1.5", "10")], "max: 1.5", "max: 10"),
        ([("step", VALUES, ["1", "2"], ["1", "2", "3"])], "[1, 2]", "[1, 2, 3]"),
        (
            [("paid_at", HIGH, "cast('2024-12-31' as TIMESTAMP WITH TIME ZONE)", "2034-01-10 00:00:00+00")],
            "max: 2024-12-31", 'max: "2034-01-10 00:00:00+00"',
        ),
    ],
)  # fmt: skip
def test_what_all_windows_ask_for_is_put_in(tmp_path: Path, suggested: list[Any], old: str, new: str) -> None:
    path = tmp_path / "orders.yml"
    path.write_text(FILE)
    changes = merged(_suggested(*one) for one in suggested)
    assert len(changes) == 1
    for file, texts in applied(changes, {"orders": path}).items():
        write(file, *texts)
    assert path.read_text() == FILE.replace(old, new)
    assert [one.name for one in tmp_path.iterdir()] == ["orders.yml"]


def test_another_change_of_the_value_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "orders.yml"
    path.write_text(FILE)
    changes = merged([_suggested("state", VALUES, ["new"], ["new", "lost"])])
    with pytest.raises(DeclarationError, match=r"state: domain.values is .*, and the suggestion was made from"):
        applied(changes, {"orders": path})
    with pytest.raises(DeclarationError, match="the model has no YAML; write one"):
        applied(changes, {})


def test_a_file_that_is_changed_while_it_is_written_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "orders.yml"
    path.write_text(FILE)
    changes = merged([_suggested("amount", LOW, "0", "-1")])
    (texts,) = applied(changes, {"orders": path}).values()
    path.write_text(FILE + "# Mine.\n")
    with pytest.raises(DeclarationError, match="was changed meanwhile"):
        write(path, *texts)
    assert path.read_text() == FILE + "# Mine.\n"
    assert [one.name for one in tmp_path.iterdir()] == ["orders.yml"]
