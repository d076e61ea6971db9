"""Compiled expressions against DuckDB, bit for bit; and what is refused."""

import json
import random
import re

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.expressions.compiler import compile_expression
from ml.expressions.node import UnsupportedError
from ml.expressions.request_views import request_features, select_expressions
from ml.expressions.text import lower, upper
from tests.expressions import COLUMNS, ERROR, Grammar, by_compiler, by_duckdb, differences, random_rows

DATABASE = duckdb.connect()
# A subexpression that comes twice is taken out of a branch that no row reaches, and raises for it.
DATABASE.execute("set TimeZone = 'UTC'; set threads = 1; set disabled_optimizers = 'common_subexpressions'")
ROWS = [random_rows(seed, 30) for seed in range(8)]


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(ROWS), st.integers(1, 3))
def test_random_expressions_over_random_rows(seed: int, rows: pa.Table, depth: int) -> None:
    expression = Grammar(random.Random(seed)).any(depth)
    try:
        found = by_compiler(expression, rows)
    except UnsupportedError:
        return
    expected = by_duckdb(DATABASE, expression, rows)
    assert found[0] == expected[0], expression
    assert differences(expression, found[1], expected[1]) == [], expression


@pytest.mark.parametrize(
    "expression",
    [
        "date_part('hour', moment1 at time zone 'America/New_York')",
        "local1 at time zone 'Europe/Berlin'",
        "epoch(moment1 - moment2) / 3600",
        "word1 <> word2",
        "2 * 6371 * asin(sqrt(pow(sin(radians(real1 - real2) / 2), 2) + cos(radians(real1)) * pow(sin(real2), 2)))",
        "case when real1 > 0 then whole1 // whole2 end",
        "whole1 + 1 > 5",
        "tiny1 * 2 = 3",
        "whole1 % 7",
        "wide1 * 0.5",
    ],
)
def test_expressions_that_are_likely(expression: str) -> None:
    rows = random_rows(99, 60)
    found, expected = by_compiler(expression, rows), by_duckdb(DATABASE, expression, rows)
    assert found[0] == expected[0]
    assert differences(expression, found[1], expected[1]) == []


def test_most_of_the_grammar_can_be_compiled() -> None:
    refused = 0
    for seed in range(150):
        try:
            compile_expression(Grammar(random.Random(seed)).any(2), COLUMNS)
        except UnsupportedError:
            refused += 1
    assert refused < 50


def test_letters_of_every_alphabet() -> None:
    letters = [chr(code) for code in range(1, 0x20000) if not 0xD800 <= code < 0xE000]
    alphabet = pa.table({"letter": letters})
    DATABASE.register("alphabet", alphabet)
    lowered, raised = (
        DATABASE.sql(f"select {name}(letter) as changed from alphabet").to_arrow_table().column("changed").to_pylist()
        for name in ("lower", "upper")
    )
    assert [lower(letter) for letter in letters] == lowered
    assert [upper(letter) for letter in letters] == raised


def test_an_error_is_of_its_row_alone() -> None:
    rows = pa.concat_tables([random_rows(3, 30)] * 2)
    _, found = by_compiler("big1 * big2", rows)
    assert 0 < found.count(ERROR) < len(found)
    assert found[:30] == found[30:]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "md5(word)",
            r"MD5\(word\): is outside of what is computed at request time, which is .*cast, try_cast.*date_trunc",
        ),
        ("sum(whole)", r"SUM\(whole\): is outside"),
        ("rank() over (order by whole)", "is outside"),
        ("(select 1)", "is outside"),
        ("other + 1", "other: is no input; the inputs are word, whole"),
        ("whole + word", r"INTEGER \+ VARCHAR is not computed"),
        ("whole = null", "null stands here for good"),
        ("timestamp '2024' is null", "write a date as '2024-05-31'"),
        ("whole +", "cannot be read|is not a SQL expression"),
        ("cast('2024-01-01 00:00:00' as timestamp) at time zone 'Nowhere/At_All'", "no time zone has the name"),
    ],
)
def test_what_cannot_be_compiled_is_named(expression: str, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        compile_expression(expression, {"word": "varchar", "whole": "integer"})


REQUEST = "from {{ eiderdown.request() }}"


def test_a_view_is_taken_apart_as_it_is_written() -> None:
    sql = f"select\n  log10(a)  as x, -- why\n  {{# and #}} (a, b) in ((1, 2)) as Y,\n  a + b z {REQUEST}"
    with pytest.raises(UnsupportedError):
        select_expressions("v_v1", f"select a {REQUEST}")
    assert select_expressions("v_v1", sql.replace("a + b z", "a || ', from' as z")) == {
        "x": "log10(a)",
        "y": "(a, b) in ((1, 2))",
        "z": "a || ', from'",
    }


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (f"select a + 1 as b {REQUEST} where a > 0", "WHERE a > 0: must be one select"),
        (f"select a + 1 as b {REQUEST} group by all", "must be one select"),
        (f"select distinct a + 1 as b {REQUEST}", "must be one select"),
        (f"with t as (select 1) select a + 1 as b {REQUEST}", "must be one select"),
        ("select a + 1 as b from t", "must be one select"),
        (f"select a + 1 as b {REQUEST} join t using (a)", "must be one select"),
        (f"select a + 1 as b {REQUEST} union all select 2", "must be one select"),
        (f"select a + {{{{ var('x') }}}} as b {REQUEST}", r"var\('x'\) }}: a request-time view is plain SQL"),
        (f"select a + 1 {REQUEST}", "give each expression a name"),
        (f"select * {REQUEST}", "give each expression a name"),
        (f"select a + 1 as b, a + 2 as B {REQUEST}", "the name b comes twice"),
        ("select from", "cannot be parsed|must be one select"),
    ],
)
def test_what_is_no_request_time_view_is_refused(sql: str, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        select_expressions("v_v1", sql)


def _answer(available: dict[str, str] | None, **changes: object) -> dict:
    first = {
        "name": "first_v1",
        "sql": f"select a + 1 as b {REQUEST}",
        "inputs": {"a": "int"},
        "features": {"b": "integer"},
    }
    second = {
        "name": "second_v1",
        "sql": f"select b > a as c {REQUEST}",
        "inputs": {"a": "integer", "b": "integer"},
        "features": {"c": "boolean"},
    }
    return json.loads(request_features(json.dumps({"views": [first | changes, second], "available": available})))


def test_a_view_reads_those_before_it() -> None:
    names = [(one["name"], one["view"], one["expression"]) for one in _answer({"a": "INTEGER"})["expressions"]]
    assert names == [("b", "first_v1", "a + 1"), ("c", "second_v1", "b > a")]


@pytest.mark.parametrize(
    ("available", "changes", "message"),
    [
        ({}, {}, "first_v1: its input a is no request field"),
        ({"a": "bigint"}, {}, "its input a is declared int, and is bigint"),
        ({"a": "integer", "b": "integer"}, {}, "first_v1: b comes twice"),
        (None, {"features": {"b": "bigint"}}, r"column b: a \+ 1 is INTEGER, and the contract has bigint"),
        (None, {"features": {"x": "integer"}}, "its columns are b, and its contract has x"),
        (None, {"inputs": {"a": "hugeint"}}, "the input a is hugeint"),
        (None, {"sql": f"select md5(a) as b {REQUEST}"}, r"feature view first_v1, column b: MD5\(a\): is outside"),
    ],
)
def test_views_that_do_not_fit_are_refused(available: dict[str, str] | None, changes: dict, message: str) -> None:
    assert re.search(message, _answer(available, **changes)["error"])
