"""What differs between two definitions, and whether it breaks those who use the view."""

import json
from typing import Any

import pytest

from ml.meaning.changes import changes

SOURCES = {
    "s.t": {"fingerprint": "source", "columns": {"a": "int", "b": "int", "at": "timestamptz"}},
    "s.u": {"fingerprint": "source", "columns": {"a": "int", "b": "int"}},
}
WINDOW = "select a, sum(b) over w as x from s.t window w as (order by at range between interval {} preceding and current row)"
ROWS = "which rows it has (a join, a filter, a grouping or distinct)"


def difference(
    old: str, new: str, reads: tuple[Any, Any] = (SOURCES, SOURCES), **declared: tuple[Any, Any]
) -> dict[str, Any]:
    sides = [
        json.dumps(
            {"sql": sql, "reads": reads[side], "declaration": {name: pair[side] for name, pair in declared.items()}}
        )
        for side, sql in enumerate((old, new))
    ]
    return json.loads(changes(*sides))


@pytest.mark.parametrize(
    ("old", "new", "kind", "what"),
    [
        ("select a, b from s.t", "select b, a from s.t where true", "none", []),
        ("select a from s.t", "select a, b from s.t", "additive", ["column b added"]),
        ("select a from s.t where a > 1", "select a, a + b as c from s.t where 1 < a", "additive", ["column c added"]),
        (
            "with f as (select a, row_number() over (order by at) as n from s.t) select a from f where n = 1",
            "with f as (select a, b, row_number() over (order by at) as n from s.t) select a, b from f where n = 1",
            "additive",
            ["column b added"],
        ),
        (
            "select a from s.t union all select a from s.u",
            "select a, b from s.t union all select a, b from s.u",
            "additive",
            ["column b added"],
        ),
        ("select a, b from s.t", "select a from s.t", "breaking", ["column b removed"]),
        (
            "select a, b from s.t",
            "select b as a, a as b from s.t",
            "breaking",
            ["column a changed", "column b changed"],
        ),
        ("select a, b as x from s.t", "select a, b as y from s.t", "breaking", ["column x removed", "column y added"]),
        (WINDOW.format("3 hours"), WINDOW.format("4 hours"), "breaking", ["column x changed"]),
        ("select a from s.t where a > 1", "select a from s.t where a > 2", "breaking", [ROWS]),
        ("select a from s.t where a > 1", "select a, b from s.t where a > 2", "breaking", ["column b added", ROWS]),
        # One more column makes other rows distinct, and other groups.
        ("select distinct a from s.t", "select distinct a, b from s.t", "breaking", ["column b added", ROWS]),
        (
            "select a, sum(b) as x from s.t group by all",
            "select a, at, sum(b) as x from s.t group by all",
            "breaking",
            ["column at added", ROWS],
        ),
        (
            "select a, b from s.t union all select a, b from s.u",
            "select a, b from s.t union all select a, a as b from s.u",
            "breaking",
            ["column b changed"],
        ),
        (
            "select t.a, n from s.t left join (select a, count(*) as n from s.u where b > 1 group by a) as u on t.a = u.a",
            "select t.a, n from s.t left join (select a, count(*) as n from s.u where b > 2 group by a) as u on t.a = u.a",
            "breaking",
            ["column n changed", ROWS],
        ),
        (
            "select x from unnest([1, 2]) as n (x)",
            "select x + 1 as x from unnest([1, 2]) as n (x)",
            "breaking",
            ["column x changed"],
        ),
    ],
)
def test_columns_and_rows(old: str, new: str, kind: str, what: list[str]) -> None:
    assert difference(old, new) == {"kind": kind, "what": what, "causes": []}


@pytest.mark.parametrize(
    ("declared", "kind", "what"),
    [
        ({"ttl": ("2 days", "2 days")}, "none", []),
        ({"ttl": ("2 days", "3 days")}, "breaking", ["declared ttl"]),
        ({"entity": (["a"], ["a", "b"])}, "breaking", ["declared entity"]),
        ({"features": ({"b": "integer"}, {"b": "bigint"})}, "breaking", ["column b is now bigint, was integer"]),
        ({"features": ({}, {"b": "integer"})}, "additive", ["column b added"]),
        ({"features": ({"b": "integer"}, {})}, "breaking", ["column b removed"]),
    ],
)
def test_declarations(declared: dict[str, Any], kind: str, what: list[str]) -> None:
    assert difference("select a, b from s.t", "select a, b from s.t", **declared) == {
        "kind": kind,
        "what": what,
        "causes": [],
    }


def test_a_cause_upstream_is_named_and_only_where_it_lies() -> None:
    def reads(sql: str) -> dict[str, Any]:
        raw = {"sql": sql, "reads": SOURCES}
        return {"s.clean": {"sql": "select a, b, at from s.raw where a > 0", "reads": {"s.raw": raw}}}

    both = (reads("select a, b, at from s.t"), reads("select a, b + 1 as b, at from s.t"))
    found = difference("select a, b from s.clean", "select a, b from s.clean", both)
    assert found == {"kind": "breaking", "what": ["column b changed"], "causes": ["s.raw"]}
    assert difference("select a from s.clean", "select a from s.clean", both)["kind"] == "none"


def test_a_leaf_that_is_another_is_a_change() -> None:
    other = {**SOURCES, "s.t": {**SOURCES["s.t"], "fingerprint": "other files"}}
    found = difference("select a from s.t", "select a from s.t", (SOURCES, other))
    assert found == {"kind": "breaking", "what": ["upstream s.t"], "causes": ["s.t"]}
    assert difference("select a from s.u", "select a from s.u", (SOURCES, other))["kind"] == "none"
