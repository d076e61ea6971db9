"""Column lineage, hop by hop, for the constructs that feature views are written with."""

import json
from typing import Any

import pytest

from ml.meaning.lineage import lineage

SOURCES = {
    "raw.t": {"fingerprint": "source", "columns": {"a": "int", "b": "int", "c": "int", "at": "timestamptz"}},
    "raw.u": {"fingerprint": "source", "columns": {"a": "int", "d": "int", "at": "timestamptz"}},
}


def lines(sql: str, reads: dict[str, Any] = SOURCES) -> dict[str, dict[str, str]]:
    """{column: {"relation.column": usage}}"""
    found: dict[str, dict[str, str]] = {}
    for line in json.loads(lineage(json.dumps({"sql": sql, "reads": reads}))):
        found.setdefault(line["column"], {})[f"{line['source_relation']}.{line['source_column']}"] = line["usage"]
    return found


def values(sql: str, reads: dict[str, Any] = SOURCES) -> dict[str, list[str]]:
    """{column: the columns that enter its value}"""
    return {
        column: sorted(name for name, usage in sources.items() if usage == "value")
        for column, sources in lines(sql, reads).items()
    }


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select a, b + c as x from raw.t", {"a": ["raw.t.a"], "x": ["raw.t.b", "raw.t.c"]}),
        ("select * exclude (at, c) from raw.t", {"a": ["raw.t.a"], "b": ["raw.t.b"]}),
        ("select * exclude (at) replace (a + d as d) from raw.u", {"a": ["raw.u.a"], "d": ["raw.u.a", "raw.u.d"]}),
        ("select a, sum(b) as x from raw.t group by all", {"a": ["raw.t.a"], "x": ["raw.t.b"]}),
        (
            "select t.* exclude (at, c), u.d from raw.t asof left join raw.u on t.a = u.a and t.at >= u.at",
            {"a": ["raw.t.a"], "b": ["raw.t.b"], "d": ["raw.u.d"]},
        ),
        ("with x as (select a, b as y from raw.t) select y as z from x", {"z": ["raw.t.b"]}),
        ("select a as x from raw.t union all select d from raw.u", {"x": ["raw.t.a", "raw.u.d"]}),
        ("select avg(b) over w as x from raw.t window w as (partition by a order by at)", {"x": ["raw.t.b"]}),
        ("select if(at > now(), b, c) as x from raw.t", {"x": ["raw.t.b", "raw.t.c"]}),
        ("select count(b) filter (a > 1) as x from raw.t", {"x": ["raw.t.b"]}),
        ("select a, (select max(d) from raw.u where u.a = t.a) as x from raw.t", {"a": ["raw.t.a"], "x": ["raw.u.d"]}),
        ("select d, b from raw.t join raw.u using (a)", {"d": ["raw.u.d"], "b": ["raw.t.b"]}),
        ("select x.y as z from (select b as y from raw.t) as x", {"z": ["raw.t.b"]}),
    ],
)
def test_values(sql: str, expected: dict[str, list[str]]) -> None:
    assert values(sql) == expected


@pytest.mark.parametrize(
    ("sql", "conditions"),
    [
        ("select b as x from raw.t where a > 1", {"raw.t.a"}),
        ("select b as x from raw.t join raw.u on t.a = u.a", {"raw.t.a", "raw.u.a"}),
        ("select sum(b) as x from raw.t group by a having max(c) > 1", {"raw.t.a", "raw.t.c"}),
        (
            "select b as x from raw.t qualify row_number() over (partition by a order by at) = 1",
            {"raw.t.a", "raw.t.at"},
        ),
        ("select sum(b) over (partition by a order by at) as x from raw.t", {"raw.t.a", "raw.t.at"}),
        ("with f as (select b from raw.t where c = 1) select b as x from f", {"raw.t.c"}),
        ("select b as x from raw.t where a in (select a from raw.u where d = 1)", {"raw.t.a", "raw.u.a", "raw.u.d"}),
    ],
)
def test_conditions(sql: str, conditions: set[str]) -> None:
    found = lines(sql)["x"]
    assert {name for name, usage in found.items() if usage == "condition"} == conditions


def test_hops_go_on_to_the_sources() -> None:
    reads = {
        "staging.t": {
            "sql": "select a, b * 2 as twice, at from raw.t where c = 1",
            "reads": SOURCES,
        }
    }
    found = json.loads(lineage(json.dumps({"sql": "select avg(twice) as x from staging.t group by a", "reads": reads})))
    assert [tuple(line.values()) for line in found] == [
        ("x", "raw.t", "a", "condition", 2, True),
        ("x", "raw.t", "b", "value", 2, True),
        ("x", "raw.t", "c", "condition", 2, True),
        ("x", "staging.t", "a", "condition", 1, False),
        ("x", "staging.t", "twice", "value", 1, False),
    ]


def test_what_cannot_be_followed_says_so() -> None:
    unknown = {"raw.x": {"fingerprint": "source", "columns": {}}, "raw.y": {"fingerprint": "source", "columns": {}}}
    found = lines("select z from raw.x join raw.y on x.k = y.k", unknown)
    assert found == {"*": {"raw.x.*": "unknown", "raw.y.*": "unknown"}}
