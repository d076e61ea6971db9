"""The point-in-time macro against a brute-force join, on made-up worlds and on the cases that go wrong elsewhere."""

import datetime as dt
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.point_in_time import CompilerError, brute_force, declaration, rendered_macro

NOON = dt.datetime(2024, 3, 31, 12, tzinfo=dt.UTC)
MOMENT = pa.timestamp("us", tz="UTC")
MACRO = rendered_macro()


def minutes(count: int) -> dt.datetime:
    return NOON + dt.timedelta(minutes=count)


def table(rows: list[dict[str, Any]], columns: list[str]) -> pa.Table:
    types = {name: MOMENT if name.endswith("at") else pa.int64() for name in columns}
    return pa.table({name: pa.array([row[name] for row in rows], types[name]) for name in columns})


def join(spine: list[dict[str, Any]], views: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    columns = ["id", "a", "b", "at"]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("spine", table(spine, columns))
        for view, rows in views:
            connection.register(view["view"], table(rows, [*view["entity"], "event_at", "known_at", *view["features"]]))
        result = connection.sql(MACRO("spine", [view for view, _ in views], "at", True))
        return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]


def check(
    spine: list[dict[str, Any]], views: list[tuple[dict[str, Any], list[dict[str, Any]]]]
) -> list[dict[str, Any]]:
    found = join(spine, views)
    assert found == brute_force(spine, "at", views)
    return found


def row(event: int, known: int, value: int | None, a: int = 1, b: int = 1) -> dict[str, Any]:
    return {"a": a, "b": b, "event_at": minutes(event), "known_at": minutes(known), "x": value}


def ask(at: int | None, identifier: int = 0, a: int | None = 1, b: int | None = 1) -> dict[str, Any]:
    return {"id": identifier, "a": a, "b": b, "at": None if at is None else minutes(at)}


ONE = declaration("one", ["a"], ["x"], dt.timedelta(minutes=10))


@pytest.mark.parametrize(
    ("rows", "at", "expected"),
    [
        pytest.param([row(0, 0, 1)], 0, (1, "present"), id="known at the very time"),
        pytest.param([row(0, 1, 1)], 0, (None, "not_found"), id="known a minute too late"),
        pytest.param([row(0, 0, 1)], 10, (1, "present"), id="at the edge of the ttl"),
        pytest.param([row(0, 0, 1)], 11, (None, "expired"), id="past the ttl"),
        pytest.param([row(0, 8, 1)], 11, (None, "expired"), id="the ttl counts from the event, not from knowing"),
        pytest.param([row(5, 5, 1), row(0, 6, 2)], 7, (1, "present"), id="a late fact about an older event"),
        pytest.param([row(5, 5, 1), row(5, 6, 2)], 7, (2, "present"), id="a correction"),
        pytest.param([row(5, 5, 1), row(5, 8, 2)], 7, (1, "present"), id="a correction that is not known yet"),
        pytest.param([row(3, 5, 1), row(4, 5, 2)], 5, (2, "present"), id="two events known at one time"),
        pytest.param([row(5, 5, None)], 6, (None, "present"), id="a null is a value"),
        pytest.param([row(9, 5, 1)], 6, (1, "present"), id="known before it happens: a forecast"),
        pytest.param([row(0, 0, 1), row(1, 1, 2)], 20, (None, "expired"), id="expiry comes after the match"),
        pytest.param([], 5, (None, "not_found"), id="an empty view"),
    ],
)
def test_cases(rows: list[dict[str, Any]], at: int, expected: tuple[int | None, str]) -> None:
    found = check([ask(at)], [(ONE, rows)])
    assert (found[0]["x"], found[0]["one_v1_status"]) == expected


def test_null_keys_null_times_and_repeated_rows_keep_their_places() -> None:
    spine = [ask(5, 3), ask(5, 3), ask(5, 2, a=None), ask(None, 1), ask(5, 0, a=7), ask(5, 3)]
    found = check(spine, [(ONE, [row(0, 0, 1)])])
    assert [one["id"] for one in found] == [3, 3, 2, 1, 0, 3]
    assert [one["one_v1_status"] for one in found] == ["present"] * 2 + ["not_found"] * 3 + ["present"]


def test_a_feature_that_comes_twice_is_an_error() -> None:
    with pytest.raises(CompilerError, match="the feature 'x' is in one and in two"):
        MACRO("spine", [ONE, declaration("two", ["a"], ["x"], None)], "at", False)


small = st.integers(0, 12)
facts = st.lists(
    st.builds(row, small, small, st.none() | st.integers(0, 9), st.integers(0, 2), st.integers(0, 1)), max_size=14
)
questions = st.lists(
    st.builds(ask, st.none() | st.integers(-2, 30), small, st.none() | st.integers(0, 2), st.integers(0, 1)), max_size=8
)


def distinct(rows: list[dict[str, Any]], entity: list[str]) -> list[dict[str, Any]]:
    """Rows under the primary key that feature views have."""
    keyed = {(*(one[key] for key in entity), one["event_at"], one["known_at"]): one for one in rows}
    return list(keyed.values())


@settings(max_examples=300)
@given(spine=questions, first=facts, second=facts, ttl=st.none() | st.integers(0, 15))
def test_any_world(spine: list[Any], first: list[Any], second: list[Any], ttl: int | None) -> None:
    one = declaration("one", ["a"], ["x"], None if ttl is None else dt.timedelta(minutes=ttl))
    two = declaration("two", ["a", "b"], ["y"], dt.timedelta(minutes=5))
    renamed = [{**fact, "y": fact["x"]} for fact in distinct(second, ["a", "b"])]
    check(spine, [(one, distinct(first, ["a"])), (two, renamed)])
