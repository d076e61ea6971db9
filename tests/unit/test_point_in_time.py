"""The point-in-time macro against a brute-force join, on made-up worlds and on the cases that go wrong elsewhere."""

import datetime as dt
import zoneinfo
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.point_in_time import brute_force, declaration, rendered_macro
from tests.rendered import CompilerError

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
    keys: tuple[str, ...] = ("a", "b"),
) -> list[dict[str, Any]]:
    """By the macro, in the order of the spine. session: DuckDB's time zone; local: that in which times are written."""
    connection = DATABASE.cursor()
    connection.execute(f"set TimeZone = '{session}'")
    numbered = [{**one, "place": place} for place, one in enumerate(spine)]
    write(connection, "spine", numbered, ["place", "id", *keys, "at"], local)
    for view, rows in views:
        write(connection, view["view"], rows, [*view["entity"], "event_at", "known_at", *view["features"]], local)
    joined = MACRO("spine", [view for view, _ in views], "at", True)
    result = connection.sql(f"select * exclude (place) from ({joined}) order by place")
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


def test_null_keys_and_null_times_find_nothing_and_repeated_rows_stay_repeated() -> None:
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


# Questions and the facts of two views. Many worlds are asked in one query, each under a key of its own.
worlds = st.lists(st.tuples(questions, facts, facts), min_size=8, max_size=8)


def distinct(rows: list[dict[str, Any]], entity: list[str]) -> list[dict[str, Any]]:
    """Rows under the primary key that feature views have."""
    keyed = {(*(one[key] for key in entity), one["event_at"], one["known_at"]): one for one in rows}
    return list(keyed.values())


@settings(max_examples=270)
@given(
    worlds=worlds,
    ttl=st.none() | st.integers(0, 15),
    session=zones,
    local=zones,
    change=changes,
    step=steps,
)
def test_any_of_two_thousand_worlds(
    worlds: list[tuple[list[Any], list[Any], list[Any]]],
    ttl: int | None,
    session: str,
    local: str,
    change: dt.datetime,
    step: dt.timedelta,
) -> None:
    """Around a change of the clocks, told in one time zone and asked in another; a day of ttl is 24 hours in all."""

    def moved(world: int, rows: list[Any]) -> list[Any]:
        return [
            {
                name: change + (value - NOON) // dt.timedelta(minutes=1) * step
                if isinstance(value, dt.datetime)
                else value
                for name, value in one.items()
            }
            | {"world": world}
            for one in rows
        ]

    one = declaration("one", ["world", "a"], ["x"], None if ttl is None else ttl * step)
    two = declaration("two", ["world", "a", "b"], ["y"], dt.timedelta(days=1))
    spine: list[Any] = []
    expected: list[Any] = []
    views: list[tuple[dict[str, Any], list[Any]]] = [(one, []), (two, [])]
    for world, (asked, first, second) in enumerate(worlds):
        renamed = [{**fact, "y": fact["x"]} for fact in distinct(second, ["a", "b"])]
        facts = [moved(world, distinct(first, ["a"])), moved(world, renamed)]
        spine += moved(world, asked)
        expected += brute_force(moved(world, asked), "at", list(zip((one, two), facts, strict=True)))
        for (_, rows), more in zip(views, facts, strict=True):
            rows += more
    assert join(spine, views, session, local, ("world", "a", "b")) == expected


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_row_order_file_order_and_threads_do_not_change_the_result(threads: int, tmp_path: Path) -> None:
    """More rows than one thread takes at once, read from four files in every row order; a tenth became known late."""
    connection = DATABASE.cursor()
    connection.execute(f"set threads = {threads}")
    times = "timestamptz '2024-03-31 12:00:00Z' + to_seconds({})"
    connection.execute(
        f"create or replace temporary table facts as select i % 97 as a, {times.format('i % 5003')} as event_at, "
        "event_at + to_seconds(if(hash(i) % 10 = 0, hash(i, 1) % 600, 30)) as known_at, i as x from range(150000) as _ (i) "
        "qualify row_number() over (partition by a, event_at, known_at order by i) = 1"
    )
    connection.execute(
        f"create or replace temporary table questions as "
        f"select i as id, i % 101 as a, {times.format('hash(i, 2) % 6000')} as at from range(130000) as _ (i)"
    )
    sql = MACRO("asked", [declaration("told", ["a"], ["x"], dt.timedelta(minutes=5))], "at", True)
    found = set()
    for number, order in enumerate(["event_at, a", "hash(x)", "known_at desc, x desc"]):
        files = [str(tmp_path / f"{number}-{part}.parquet") for part in range(4)]
        for part, file in enumerate(files):
            connection.execute(f"copy (from facts where hash(x, 3) % 4 = {part} order by {order}) to '{file}'")
        listed = files if number else files[::-1]
        connection.execute(f"create or replace temporary view told as from read_parquet({listed})")
        connection.execute(f"create or replace temporary table asked as from questions order by hash(id, {number})")
        hashes = "bit_xor(hash(joined)), sum(hash(joined) // 65536)"
        found |= set(
            connection.sql(f"select count(*), count(distinct id), count(x), {hashes} from ({sql}) as joined").fetchall()
        )
    connection.execute("set threads = 2")
    ((rows, asked, present, *_),) = found
    assert rows == asked == 130000 > present > 65000
