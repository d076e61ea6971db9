"""macros/statistics against plain Python and numpy."""

import datetime as dt
import math
from collections import Counter
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from tests.statistics import MACROS, as_number, assert_statistics, rows

MOMENTS = (dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))
TYPES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "tinyint": (pa.int8(), st.integers(-(2**7), 2**7 - 1)),
    "int": (pa.int32(), st.integers(-3, 3)),
    "bigint": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "ubigint": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "decimal(38, 10)": (pa.decimal128(38, 10), st.decimals(-(10**27), 10**27, places=10)),
    "double": (pa.float64(), st.floats()),
    "double precision": (pa.float64(), st.floats(-1, 1) | st.sampled_from([0.0, -0.0])),
    "float": (pa.float32(), st.floats(width=32)),
    "boolean": (pa.bool_(), st.booleans()),
    "varchar": (pa.string(), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)),
    "date": (pa.date32(), st.dates()),
    "timestamp": (pa.timestamp("us"), st.datetimes(*MOMENTS)),
    "timestamptz": (pa.timestamp("us", tz="UTC"), st.datetimes(*MOMENTS, timezones=st.just(dt.UTC))),
    "integer[]": (pa.list_(pa.int32()), st.lists(st.none() | st.integers(0, 9), max_size=3)),
    "struct(a integer)": (pa.struct([("a", pa.int32())]), st.fixed_dictionaries({"a": st.integers(0, 9)})),
}
# A query is some fifty expressions for each column, so it costs most of a second to plan: few examples, of all types at once.
FEW = settings(max_examples=5, phases=[Phase.explicit, Phase.generate])
COLUMNS = {f'a "{sql_type}"': sql_type for sql_type in TYPES}


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("load icu; set TimeZone = 'Asia/Kathmandu'")
    return connection


@st.composite
def tables(draw: st.DrawFn, most: int = 30) -> pa.Table:
    """A column of each type, the groups `part` and the slices `shop`."""
    count = draw(st.integers(0, most))
    columns = {
        name: pa.array(draw(st.lists(st.none() | strategy, min_size=count, max_size=count)), arrow)
        for name, (arrow, strategy) in zip(COLUMNS, TYPES.values(), strict=True)
    }
    part = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    shop = draw(st.lists(st.sampled_from(["a", "b'", None]), min_size=count, max_size=count))
    return pa.table({**columns, "part": pa.array(part, pa.int32()), "shop": pa.array(shop, pa.string())})


@FEW
@given(table=tables())
def test_of_groups_and_slices_of_every_carried_type(connection: duckdb.DuckDBPyConnection, table: pa.Table) -> None:
    connection.register("given_rows", table)
    found = rows(connection, MACROS.statistics("given_rows", COLUMNS, {"part": "part"}, ["shop"]))
    held = table.to_pylist()
    expected = {(row["part"], "all") for row in held}
    expected |= {(row["part"], f"shop={row['shop']}" if row["shop"] else "shop is null") for row in held}
    assert Counter((row["part"], row["slice"]) for row in found) == dict.fromkeys(expected, len(COLUMNS))
    for row in found:
        of_group = [one for one in held if one["part"] == row["part"]]
        of_slice = [
            one
            for one in of_group
            if row["slice"] in ("all", f"shop={one['shop']}") or (row["slice"], one["shop"]) == ("shop is null", None)
        ]
        name = row["feature"]
        assert row["type"] == COLUMNS[name]
        assert_statistics(row, [one[name] for one in of_slice], [one[name] for one in of_group])


@FEW
@given(table=tables(60))
@example(
    table=pa.table(
        {name: pa.array([], arrow) for name, (arrow, _) in zip(COLUMNS, TYPES.values(), strict=True)}
        | {"part": pa.array([], pa.int32()), "shop": pa.array([], pa.string())}
    )
)
def test_merged_parts_are_as_the_whole(connection: duckdb.DuckDBPyConnection, table: pa.Table) -> None:
    connection.register("given_rows", table)
    whole = rows(connection, MACROS.statistics("given_rows", COLUMNS))
    parts = MACROS.statistics("given_rows", COLUMNS, {"part": "part"})
    merged = rows(connection, MACROS.merged_statistics(f"({parts})", ["feature", "type"]))
    assert len(merged) == (len(COLUMNS) if table.num_rows else 0)
    by_feature = {row["feature"]: row for row in whole}
    for row in merged:
        _assert_merged(row, by_feature[row["feature"]], table.column(row["feature"]).to_pylist())


def _assert_merged(found: dict[str, Any], whole: dict[str, Any], values: list[Any]) -> None:
    for name in ("row", "missing", "nan", "infinite", "zero"):
        assert found[f"{name}_count"] == whole[f"{name}_count"]
    for name in ("distinct_registers", "least_length", "greatest_length", "min", "max"):
        assert found[name] == whole[name], name
    if found["mean_length"] is not None:
        assert math.isclose(found["mean_length"], whole["mean_length"], rel_tol=1e-12)
    for name in ("mean", "stddev"):
        if whole[name] is None:
            assert found[name] is None
        else:
            size = max(abs(as_number(value)) for value in _finite(values))
            assert math.isclose(found[name], whole[name], rel_tol=1e-9, abs_tol=1e-10 * size), name
    if len(whole["top_values"]) == whole["distinct_count"] < 20 and found["top_values"]:
        assert found["top_values"] == whole["top_values"]
        assert found["distinct_count"] == whole["distinct_count"]
    if not whole["quantiles"]:
        assert found["quantiles"] == {} and found["histogram"] == found["quantile_histogram"] == []
        return
    ordered = np.sort([as_number(value) for value in _finite(values)])
    for fraction, value in found["quantiles"].items():
        below, up_to = (ordered < value).mean(), (ordered <= value).mean()
        assert below - 0.0251 <= fraction <= up_to + 0.0251, fraction
    for name in ("histogram", "quantile_histogram"):
        assert sum(one["row_count"] for one in found[name]) == len(ordered)
        assert (found[name][0]["low"], found[name][-1]["high"]) == (ordered[0], ordered[-1])
    assert [(one["low"], one["high"]) for one in found["histogram"]] == [
        (one["low"], one["high"]) for one in whole["histogram"]
    ]


def _finite(values: list[Any]) -> list[Any]:
    return [one for one in values if one is not None and not (isinstance(one, float) and not math.isfinite(one))]


def test_merged_histograms_and_top_values_keep_their_bounds(connection: duckdb.DuckDBPyConnection) -> None:
    """Of many rows in skewed parts: each error is within what the parts say that it may be."""
    connection.execute(
        "create or replace table skewed as select range // 500 as part, pow(range * 7919 % 1009, 1 + range // 500) as amount, "
        "'v' || (range * 31 % (40 + range // 100)) as code from range(2000)"
    )
    columns = {"amount": "double", "code": "varchar"}
    parts = MACROS.statistics("skewed", columns, {"part": "part"})
    merged = {row["feature"]: row for row in rows(connection, MACROS.merged_statistics(f"({parts})", ["feature"]))}
    whole = {row["feature"]: row for row in rows(connection, MACROS.statistics("skewed", columns))}
    pieces = rows(connection, parts)
    bins = [one for row in pieces if row["feature"] == "amount" for one in row["histogram"]]
    below = true_below = 0
    for found, true in zip(merged["amount"]["histogram"], whole["amount"]["histogram"], strict=True):
        below, true_below = below + found["row_count"], true_below + true["row_count"]
        cut = sum(one["row_count"] for one in bins if one["low"] < found["high"] < one["high"])
        assert abs(below - true_below) <= cut + 1
    true_counts = dict(connection.sql("select code, count(*) from skewed group by all").fetchall())
    tops = [{top["value"]: top["row_count"] for top in row["top_values"]} for row in pieces if row["feature"] == "code"]
    for top in merged["code"]["top_values"]:
        unlisted = sum(min(listed.values()) for listed in tops if top["value"] not in listed)
        assert true_counts[top["value"]] - unlisted <= top["row_count"] <= true_counts[top["value"]]


def test_of_a_relation_that_is_described(connection: duckdb.DuckDBPyConnection) -> None:
    """The columns of a query, and one without rows: a group where there is no `by`, with counts of zero."""
    connection.execute("create or replace table no_rows (x double, y varchar, z boolean[])")
    found = rows(connection, MACROS.statistics("no_rows", {"x": "double", "y": "varchar", "z": "boolean[]"}))
    assert [(row["feature"], row["slice"]) for row in found] == [("x", "all"), ("y", "all"), ("z", "all")]
    for row in found:
        assert_statistics(row, [])
    assert rows(connection, MACROS.statistics("no_rows", {"x": "double"}, {"w": "x"}, ["y"])) == []


def test_many_distinct_values(connection: duckdb.DuckDBPyConnection) -> None:
    """Exact of text, within 10 % (three standard errors) of numbers."""
    connection.execute("create or replace table ids as select range as id, 'id ' || range as name from range(20000)")
    by_name = {
        row["feature"]: row for row in rows(connection, MACROS.statistics("ids", {"id": "bigint", "name": "varchar"}))
    }
    assert by_name["name"]["distinct_count"] == 20000
    assert abs(by_name["id"]["distinct_count"] - 20000) <= 2000
    assert [top["value"] for top in by_name["name"]["top_values"][:3]] == ["id 0", "id 1", "id 10"]
    assert by_name["id"]["top_values"] == []


def test_the_same_whatever_the_number_of_threads() -> None:
    found = []
    for threads in (1, 4):
        with duckdb.connect(config={"threads": threads}) as connection:
            connection.execute(
                "create table measured as select ln(1 + range * 7919 % 300007) as x, range % 7 as y from range(300000)"
            )
            found.append(rows(connection, MACROS.statistics("measured", {"x": "double", "y": "bigint"}, {}, ["y"])))
    assert sorted(map(repr, found[0])) == sorted(map(repr, found[1]))
