"""A value of a YAML file is set, and all else stays: every byte, and every value that is read."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.errors import DeclarationError
from ml.schemas.yaml_edit import edited, value_at
from tests.conftest import REPOSITORY

ORDERS = """\
version: 2  # of dbt's YAML

models:
  - name: orders   # one row an order
    columns:
      - name: state
        config:
          meta:
            # Who adds one tells billing.
            domain:
              values:
                - new  # not paid
                - 'no'   # a word
                # the rest
                - "sent"

            owner: me
      - {name: amount, data_type: double}  # in cents
      - name: code
        config: {meta: {domain: [A, "B"],  owner: you}}
      - name: empty
        config:
          meta:
  # The end.
  - {name: other, columns: []}
"""


def _lines(old: str, new: str) -> tuple[set[str], set[str]]:
    """The lines that are gone, and those that have come."""
    before, after = old.splitlines(), new.splitlines()
    return {line for line in before if line not in after}, {line for line in after if line not in before}


@pytest.mark.parametrize(
    ("column", "path", "value", "gone", "come"),
    [
        ("state", ["domain", "values"], ["new", "no", "sent", "lost"], set(), {"                - lost"}),
        ("state", ["domain", "values"], ["new", "sent"], {"                - 'no'   # a word"}, set()),
        ("state", ["domain", "max_share"], 0.1, set(), {"              max_share: 0.1"}),
        ("state", ["lifecycle"], "deprecated", set(), {"            lifecycle: deprecated"}),
        (
            "amount",
            ["domain", "min"],
            -1,
            {"      - {name: amount, data_type: double}  # in cents"},
            {"      - {name: amount, data_type: double, config: {meta: {domain: {min: -1}}}}  # in cents"},
        ),
        (
            "code",
            ["domain", "values"],
            ["B", "C, d"],
            {'        config: {meta: {domain: [A, "B"],  owner: you}}'},
            {'        config: {meta: {domain: ["B", "C, d"],  owner: you}}'},
        ),
        ("empty", ["presence", "min_count"], 3, {"          meta:"}, {"          meta: {presence: {min_count: 3}}"}),
        ("fresh", ["data_type"], "bigint", set(), {"      - {name: fresh, data_type: bigint}"}),
        (None, ["min_rows"], 10, set(), {"    config: {meta: {schema: {min_rows: 10}}}"}),
    ],
)
def test_only_the_value_changes(
    column: str | None, path: list[str], value: Any, gone: set[str], come: set[str]
) -> None:
    new = edited(ORDERS, "orders", column, path, value)
    if column == "empty":
        assert _lines(ORDERS, new)[1] == come
    else:
        assert _lines(ORDERS, new) == (gone, come)
    assert value_at(new, "orders", column, path) == value
    assert edited(new, "orders", column, path, value) == new


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ORDERS.replace("orders", "sales"), "the file declares no such model; it has sales, other"),
        (ORDERS.replace("name: amount", "name: price"), "the YAML declares no such column"),
        (ORDERS.replace("columns: []", "columns: [").replace("\n", "\n"), "is no YAML"),
        (
            ORDERS.replace("- {name: amount, data_type: double}", "- &same {name: amount}").replace(
                "columns: []", "columns: [*same]"
            ),
            "such as an alias",
        ),
    ],
)
def test_what_cannot_be_changed_alone_is_refused(text: str, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        edited(text, "orders", "amount", ["domain", "min"], 0)


def _columns() -> list[tuple[Path, str, str]]:
    found = []
    for path in sorted((REPOSITORY / "models" / "datasets").glob("*.yml")):
        for model in yaml.safe_load(path.read_text()).get("models", []):
            found += [(path, model["name"], column["name"]) for column in model.get("columns", []) if "name" in column]
    return found


COLUMNS = _columns()
VALUES = st.text(max_size=8) | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
PATHS = st.sampled_from([["domain", "values"], ["domain", "min"], ["presence", "min_fraction"], ["lifecycle"]])


@settings(max_examples=10)
@given(st.sampled_from(COLUMNS), PATHS, VALUES | st.lists(VALUES.filter(bool), max_size=4, unique_by=str))
def test_files_of_the_project_keep_every_other_line(place: tuple[Path, str, str], path: list[str], value: Any) -> None:
    file, model, column = place
    old = file.read_bytes().decode()
    new = edited(old, model, column, path, value)
    assert value_at(new, model, column, path) == value
    gone, come = _lines(old, new)
    assert len(gone) <= 1 and len(come) == 1
    if not gone:
        added = next(iter(come))
        assert new.replace(added + "\n", "", 1) == old
