"""Rolling aggregates against a brute-force oracle, built at once and by many incremental runs, on made-up worlds."""

import datetime as dt
import random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rendered import CompilerError, package
from tests.windows import brute_force

MACROS = package("windows/*")
NOON = dt.datetime(2024, 3, 31, 12, tzinfo=dt.UTC)
Event = dict[str, Any]
FEATURES = {
    "events": "count(*)",
    "counted": "count(x)",
    "total": "sum(x)",
    "average": "mean(x)",
    "spread": "stddev(x)",
    "least": "min(x)",
    "most": "max(x)",
    "kinds": "distinct(x)",
    "middle": "percentile(x, 0.5)",
    "latest": "last(x, 3)",
    "least_of_short": "min(x) over 2 minutes",
}
WINDOWS = {"short": "2 minutes", "middling": "3 minutes", "long": "7 minutes"}
TYPES = {"total": "double", "latest": "double[]"}


def declared(features: dict[str, str] = FEATURES, windows: dict[str, str] = WINDOWS) -> dict[str, Any]:
    return MACROS.windows_declaration(features, windows)


def oracle_columns(declaration: dict[str, Any]) -> list[dict[str, Any]]:
    names = {argument["name"]: expression for expression, argument in declaration["arguments"].items()}
    return [{**column, "of": names[column["argument"]]} for column in declaration["columns"]]


def sql_of(clock: bool, declaration: dict[str, Any] | None = None) -> str:
    declaration = declaration or declared()
    types = {column["name"]: TYPES.get(column["name"].rsplit("_", 1)[0]) for column in declaration["columns"]}
    types = {name: type_ for name, type_ in types.items() if type_}
    known_at = "known_at" if clock else None
    return MACROS.windows_select("events", ["k"], "event_at", known_at, declaration, types)


# Each kind of aggregate once: what an incremental run computes anew, it computes with the same SQL.
FEW = {
    "total": "sum(x) over 3 minutes",
    "most": "max(x) over 7 minutes",
    "kinds": "distinct(x) over 2 minutes",
    "latest": "last(x, 2) over 7 minutes",
}
SQL = {clock: sql_of(clock) for clock in (False, True)}
FEW_SQL = {clock: sql_of(clock, declared(FEW, {})) for clock in (False, True)}


def load(connection: duckdb.DuckDBPyConnection, events: list[Event]) -> None:
    table = pa.table(
        {
            "k": pa.array([one["k"] for one in events], pa.string()),
            "event_at": pa.array([one["event_at"] for one in events], pa.timestamp("us", "UTC")),
            "known_at": pa.array([one["known_at"] for one in events], pa.timestamp("us", "UTC")),
            "x": pa.array([one["x"] for one in events], pa.float64()),
        }
    )
    connection.register("loaded", table)
    connection.execute("create or replace table events as from loaded")


def values(connection: duckdb.DuckDBPyConnection, query: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    result = connection.sql(query)
    rows = [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]
    keyed = {(row.pop("k"), row.pop("event_at"), row.pop("known_at")): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


def connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'; set threads = 1")
    return connection


DATABASE = connect()


# Half minutes, and a microsecond beside them: the edges of windows and of tiles.
times = st.builds(
    lambda half_minutes, beside: NOON + dt.timedelta(seconds=30 * half_minutes, microseconds=beside),
    st.integers(-30, 30),
    st.sampled_from([0, 0, 0, -1, 1]),
)
lags = st.sampled_from([0, 0, 0, 0, 30, 60, 300, 1200]).map(lambda seconds: dt.timedelta(seconds=seconds))


@st.composite
def events(draw: st.DrawFn, clock: bool) -> Event:
    at = draw(times)
    return {
        "k": draw(st.sampled_from(["a", "a", "b"])),
        "event_at": at,
        "known_at": at + draw(lags) if clock else at,
        "x": draw(st.one_of(st.none(), st.integers(-8, 8).map(lambda quarter: quarter / 4))),
    }


def worlds(most: int = 25) -> st.SearchStrategy[tuple[bool, list[Event]]]:
    return st.booleans().flatmap(lambda clock: st.tuples(st.just(clock), st.lists(events(clock), max_size=most)))


def check(world: list[Event], clock: bool) -> None:
    declaration = declared()
    load(DATABASE, world)
    found = values(DATABASE, SQL[clock])
    expected = brute_force(world, ["k"], oracle_columns(declaration))
    assert found.keys() == expected.keys()
    inexact = {column["name"] for column in declaration["columns"] if column["kind"] in ("stddev", "percentile")}
    for key, row in expected.items():
        for name, value in row.items():
            if name in inexact and value is not None:
                assert found[key][name] == pytest.approx(value, rel=1e-9, abs=1e-9), (key, name)
            else:
                assert found[key][name] == value, (key, name)


@settings(max_examples=60)
@given(worlds())
def test_every_value_is_that_of_the_definition(world: tuple[bool, list[Event]]) -> None:
    clock, rows = world
    check(rows, clock)


def event(seconds: float, x: float | None = 1, lag: float = 0, k: str | None = "a") -> Event:
    at = NOON + dt.timedelta(seconds=seconds)
    return {"k": k, "event_at": at, "known_at": at + dt.timedelta(seconds=lag), "x": x}


@pytest.mark.parametrize(
    "world",
    [
        pytest.param([], id="no events"),
        pytest.param([event(0), event(120)], id="at the very edge of a window"),
        pytest.param([event(0), event(120.000001)], id="a microsecond past the edge"),
        pytest.param([event(0, None), event(60, None)], id="nothing to aggregate"),
        pytest.param([event(0, 3), event(0, 3), event(0, 1)], id="duplicates and ties"),
        pytest.param([event(0, -3), event(90, 2), event(400, -1)], id="tiles without events between"),
        pytest.param([event(0, 1), event(60, 2), event(30, 9, 600)], id="late, about an older time"),
        pytest.param([event(0, 1, 60), event(0, 5, 120)], id="late, about the newest time"),
        pytest.param([event(0, k=None), event(0)], id="without a key"),
        pytest.param([event(-2_000_000_000), event(-2_000_000_060)], id="before 1970"),
    ],
)
def test_the_cases_that_go_wrong_elsewhere(world: list[Event]) -> None:
    check(world, clock=True)


def bits(connection: duckdb.DuckDBPyConnection, query: str) -> set[str]:
    return {str(row) for row in connection.sql(query).fetchall()}


def test_the_order_of_rows_and_the_number_of_threads_change_no_bit() -> None:
    generator = random.Random(7)
    world = [
        event(30 * generator.randrange(2000), generator.gauss(3, 2), generator.choice([0, 600])) for _ in range(3000)
    ]
    connection = connect()
    load(connection, world)
    first = bits(connection, SQL[True])
    generator.shuffle(world)
    load(connection, world)
    connection.execute("set threads = 4")
    assert bits(connection, SQL[True]) == first


def test_a_mean_of_integers_is_duckdbs_own() -> None:
    connection = connect()
    connection.execute(
        "create table events as select 'a' as k, to_timestamp(i) as event_at, (hash(i) % 1000003)::integer - 400000 as x "
        "from range(3000) as numbers(i)"
    )
    declaration = MACROS.windows_declaration({"average": "mean(x) over 900 seconds"}, {})
    ours = connection.sql(sql_of(False, declaration) + " order by event_at").fetchall()
    own = connection.sql(
        "select avg(x) over (order by event_at range between interval 900 seconds preceding and current row) "
        "from events order by event_at"
    ).fetchall()
    assert [row[-1] for row in ours] == [row[0] for row in own]


@pytest.mark.parametrize("value", ["'nan'", "'infinity'", "1e30"])
def test_what_no_exact_sum_can_hold_is_an_error(value: str) -> None:
    connection = connect()
    connection.execute(f"create table events as select 'a' as k, to_timestamp(0) as event_at, {value}::double as x")
    with pytest.raises(duckdb.Error):
        connection.sql(sql_of(False, MACROS.windows_declaration({"total": "sum(x) over 1 hour"}, {}))).fetchall()


def test_a_spread_far_from_zero_does_not_cancel() -> None:
    connection = connect()
    connection.execute(
        "create table events as select 'a' as k, to_timestamp(i) as event_at, 900000000 + i % 2 as x from range(1000) as n(i)"
    )
    declaration = MACROS.windows_declaration({"spread": "stddev(x) over 999 seconds"}, {})
    newest = connection.sql(sql_of(False, declaration) + " order by event_at desc limit 1").fetchall()[0]
    assert newest[-1] == pytest.approx((250 / 999) ** 0.5, rel=1e-12)


def build(connection: duckdb.DuckDBPyConnection, clock: bool) -> None:
    facts = MACROS.windows_facts(FEW_SQL[clock])
    connection.execute(f"create or replace table built as {FEW_SQL[clock]}")
    connection.execute("create or replace table incremental as from built limit 0")
    connection.execute("alter table incremental add primary key (k, event_at, known_at)")
    connection.execute("insert into incremental from built")
    connection.execute(f"create or replace table tiles as {MACROS.windows_tiles(FEW_SQL[clock], facts)}")


def run(connection: duckdb.DuckDBPyConnection, clock: bool) -> None:
    columns = [row[0] for row in connection.sql("describe incremental").fetchall()]
    connection.execute(
        "begin; " + MACROS.windows_incremental("incremental", "tiles", FEW_SQL[clock], columns) + "; commit"
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[bool, list[list[Event]]]:
    """The events as they stand before each run: some come, some are corrected, some go."""
    clock, world = draw(worlds(15))
    states = [world]
    for _ in range(draw(st.integers(1, 3))):
        kept = [dict(one) for one in states[-1] if draw(st.integers(0, 5))]
        for one in kept:
            if not draw(st.integers(0, 5)):
                one["x"] = draw(st.sampled_from([None, 7.5]))
        states.append(kept + draw(st.lists(events(clock), max_size=6)))
    return clock, states


@settings(max_examples=40)
@given(histories())
def test_incremental_runs_end_in_the_rows_of_a_full_build(history: tuple[bool, list[list[Event]]]) -> None:
    clock, states = history
    load(DATABASE, states[0])
    build(DATABASE, clock)
    for state in states[1:]:
        load(DATABASE, state)
        run(DATABASE, clock)
        assert bits(DATABASE, "from incremental") == bits(DATABASE, FEW_SQL[clock])
    tiles = MACROS.windows_tiles(FEW_SQL[clock], MACROS.windows_facts(FEW_SQL[clock]))
    assert bits(DATABASE, "from tiles") == bits(DATABASE, tiles)


@pytest.mark.parametrize(
    ("feature", "says"),
    [
        ("mean(x) over 1 month", "In the place of 1 month write 30 days"),
        ("median(x) over 1 day", "The aggregates are count, sum"),
        ("mean(x)", "has no window"),
        ("sum(*) over 1 day", "needs a column"),
        ("last(x) over 1 day", "last(expression, 5)"),
        ("percentile(x, 90) over 1 day", "between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(feature: str, says: str) -> None:
    with pytest.raises(CompilerError, match="windows: the feature f ") as refused:
        MACROS.windows_declaration({"f": feature}, {})
    assert says in str(refused.value)


def test_only_what_is_windows_and_nothing_else_is_run_incrementally() -> None:
    sql = SQL[True]
    assert MACROS.windows_facts(f"-- What it is.\n\n{sql}")["entity"] == ["k"]
    assert MACROS.windows_facts(f"select lead(k) over (order by k) from ({sql})") is None
    assert MACROS.windows_facts(f"{sql} limit 3") is None
