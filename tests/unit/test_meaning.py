"""What differs between two meanings, in words."""

import json

import pytest

from ml.fingerprint import canonical_sql
from ml.meaning import changes, column_changes

SCHEMA = {"s": {"t": {"a": "int", "b": "int", "at": "timestamptz"}, "u": {"a": "int", "b": "int"}}}
WINDOW = "select a, sum(b) over w as x from s.t window w as (order by at range between interval {} preceding and current row)"

PAIRS = [
    ("select a, b from s.t", "select a from s.t", ["column b removed"]),
    ("select a from s.t", "select a, b from s.t", ["column b added"]),
    ("select a, b from s.t", "select b as a, a as b from s.t", ["column a changed", "column b changed"]),
    ("select a, b as x from s.t", "select a, b as y from s.t", ["column x removed", "column y added"]),
    (WINDOW.format("3 hours"), WINDOW.format("4 hours"), ["column x changed"]),
    (
        "with c as (select distinct a, b + 1 as x from s.t) select a, x from c",
        "with c as (select distinct a, b + 2 as x from s.t) select a, x from c",
        ["column x changed"],
    ),
    (
        "select a, b from s.t union all select a, b from s.u",
        "select a, b from s.t union all select a, a as b from s.u",
        ["column b changed"],
    ),
    ("select a from s.t where a > 1", "select a from s.t where a > 2", []),
    ("select x from unnest([1, 2]) as n (x)", "select x + 1 as x from unnest([1, 2]) as n (x)", ["column x changed"]),
    # Of a table that nobody knows a star stays a star, and stands for every column after its first.
    (
        "select a, b from no.t union all select * from no.u",
        "select a, b from no.t union all select * from no.v",
        ["column b changed"],
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), PAIRS)
def test_changed_columns_are_named(old: str, new: str, expected: list[str]) -> None:
    assert column_changes(canonical_sql(old, SCHEMA), canonical_sql(new, SCHEMA)) == expected


def _meaning(sql: str = "select a from s.t", **parts: dict) -> str:
    return json.dumps(
        {"canonical": canonical_sql(sql, SCHEMA), "upstream": {"s.t": "1"}, "declaration": {"ttl": "2 days"}, **parts}
    )


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (_meaning(upstream={"s.t": "2"}), "upstream s.t"),
        (_meaning(upstream={"s.t": "1", "s.u": "1"}), "upstream s.u"),
        (_meaning(declaration={"ttl": "3 days"}), "declared ttl"),
        (_meaning("select a + 1 as a from s.t"), "column a changed"),
        (
            _meaning("select a from s.t where a > 1"),
            "which rows it has (a join, a filter or a grouping), or the order of its columns",
        ),
    ],
)
def test_what_differs_is_named(new: str, expected: str) -> None:
    assert changes(_meaning(), new) == expected


def test_a_record_without_upstream_and_declaration_is_compared_by_its_sql() -> None:
    old = json.dumps({"canonical": canonical_sql("select a from s.t", SCHEMA)})
    assert changes(old, _meaning()) == "its declaration or something upstream"
    assert changes(old, _meaning("select b as a from s.t")) == "column a changed"
