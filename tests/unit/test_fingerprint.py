"""Fingerprints: rewrites that change nothing are equal, changes differ."""

import json

import pytest

from ml.fingerprint import canonical_sql, fingerprint

SCHEMA = {"s": {"t": {"a": "int", "b": "int", "at": "timestamptz"}, "u": {"a": "int", "c": "int"}}}

EQUAL = [
    ("select a from s.t", "SELECT  A -- a comment\n FROM s.t"),
    ("select a from s.t", "select x.a from s.t as x"),
    ("select * from s.u", "select a, c from s.u"),
    ("select * exclude (c) from s.u", "select a from s.u"),
    ("with x as (select a from s.t) select a from x", "with y as (select a from s.t) select a from y"),
    ("with x as (select a from s.t) select a from x", "select a from (select a from s.t)"),
    ("select a, sum(b) as b from s.t group by all", "select a, sum(b) as b from s.t group by a"),
    ("select a from s.t where a > 1 and b < 2", "select a from s.t where b < 2 and a > 1"),
    ('select a from "warehouse"."s"."t"', "select a from s.t"),
]

DIFFERENT = [
    ("select a from s.t", "select b as a from s.t"),
    ("select a from s.t", "select a from s.u"),
    ("select a from s.t", "select a as z from s.t"),
    ("select a from s.t where a > 1", "select a from s.t where a >= 1"),
    ("select sum(a) as x from s.t", "select avg(a) as x from s.t"),
    ("select distinct a from s.t", "select a from s.t"),
    (
        "select sum(a) over (order by at range between interval 3 hours preceding and current row) as x from s.t",
        "select sum(a) over (order by at range between interval 4 hours preceding and current row) as x from s.t",
    ),
    ("select a from s.t join s.u using (a)", "select a from s.t left join s.u using (a)"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_rewrites_are_equal(one: str, other: str) -> None:
    assert canonical_sql(one, SCHEMA) == canonical_sql(other, SCHEMA)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_changes_differ(one: str, other: str) -> None:
    assert canonical_sql(one, SCHEMA) != canonical_sql(other, SCHEMA)


def test_upstream_and_declaration_count() -> None:
    request = {"sql": "select a from s.t", "schema": SCHEMA, "upstream": {"s.t": "1"}, "declaration": {"ttl": "2 days"}}
    prints = {
        json.loads(fingerprint(json.dumps({**request, **change})))["fingerprint"]
        for change in ({}, {"upstream": {"s.t": "2"}}, {"declaration": {"ttl": "3 days"}})
    }
    assert len(prints) == 3


def test_text_that_is_no_sql_is_refused() -> None:
    with pytest.raises(ValueError, match="sqlglot cannot parse"):
        canonical_sql("select from where (", SCHEMA)
