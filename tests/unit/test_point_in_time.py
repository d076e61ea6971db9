"""The point-in-time macro against a brute-force join, on made-up worlds and on the cases that go wrong elsewhere."""

import datetime as dt
import zoneinfo
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.point_in_time import CompilerError, brute_force, declaration, rendered_macro

NOON = dt.datetime(2024, 3, 31, 12, tzinfo=dt.UTC)
DATABASE = duckdb.connect()
MACRO = rendered_macro()


def minutes(count: int) -> dt.datetime:
    return NOON + dt.timedelta(minutes=count)


def write(
    connection: duckdb.DuckDBPyConnection, name: str, rows: list[dict[str, Any]], columns: list[str], local: str
) -> None:
    """A table whose times come as text with the offset of a time zone, as files bring them."""
    zone = zoneinfo.ZoneInfo(local)
    texts = {
        column: pa.array([row[column] and row[column].astimezone(zone).isoformat() for row in rows], pa.string())
        if column.endswith("at")
        else pa.array([row[column] for row in rows], pa.int64())
        for column in columns
    }
    connection.register("texts", pa.table(texts))
    times = [f'cast("{column}" as timestamptz) as "{column}"' for column in columns if column.endswith("at")]
    connection.execute(f"create or replace temporary table {name} as select * replace ({', '.join(times)}) from texts")


def join(
    spine: list[dict[str, Any]],
    views: list[tuple[dict[str, Any], list[dict[str, Any]]]],
    session: str = "UTC",
    local: str = "UTC",
) -> list[dict[str, Any]]:
    """By the macro. session: DuckDB's time zone; local: the time zone in which times are written."""
    connection = DATABASE.cursor()
    connection.execute(f"set TimeZone = '{session}'")
    write(connection, "spine", spine, ["id", "a", "b", "at"], local)
    for view, rows in views:
        write(connection, view["view"], rows, [*view["entity"], "event_at", "known_at", *view["features"]], local)
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
# Half an hour more or less of daylight saving, a day that a country left out, an hour that comes twice, one that never does.
zones = st.sampled_from(
    ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]
)
changes = st.sampled_from(
    [
        dt.datetime(2024, 3, 31, 0, tzinfo=dt.UTC),
        dt.datetime(2024, 3, 10, 6, tzinfo=dt.UTC),
        dt.datetime(2024, 11, 3, 5, tzinfo=dt.UTC),
        dt.datetime(2024, 10, 5, 14, tzinfo=dt.UTC),
        dt.datetime(2011, 12, 30, 9, tzinfo=dt.UTC),
    ]
)
steps = st.sampled_from([dt.timedelta(minutes=1), dt.timedelta(minutes=30), dt.timedelta(hours=8)])


def distinct(rows: list[dict[str, Any]], entity: list[str]) -> list[dict[str, Any]]:
    """Rows under the primary key that feature views have."""
    keyed = {(*(one[key] for key in entity), one["event_at"], one["known_at"]): one for one in rows}
    return list(keyed.values())


@settings(max_examples=1000)
@given(
    spine=questions,
    first=facts,
    second=facts,
    ttl=st.none() | st.integers(0, 15),
    session=zones,
    local=zones,
    change=changes,
    step=steps,
)
def test_any_world(
    spine: list[Any],
    first: list[Any],
    second: list[Any],
    ttl: int | None,
    session: str,
    local: str,
    change: dt.datetime,
    step: dt.timedelta,
) -> None:
    """Around a change of the clocks, told in one time zone and asked in another; a day of ttl is 24 hours in all."""

    def moved(rows: list[Any]) -> list[Any]:
        return [
            {
                name: change + (value - NOON) // dt.timedelta(minutes=1) * step
                if isinstance(value, dt.datetime)
                else value
                for name, value in one.items()
            }
            for one in rows
        ]

    one = declaration("one", ["a"], ["x"], None if ttl is None else ttl * step)
    two = declaration("two", ["a", "b"], ["y"], dt.timedelta(days=1))
    renamed = [{**fact, "y": fact["x"]} for fact in distinct(second, ["a", "b"])]
    views = [(one, moved(distinct(first, ["a"]))), (two, moved(renamed))]
    assert join(moved(spine), views, session, local) == brute_force(moved(spine), "at", views)
