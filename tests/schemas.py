"""Rows validated against a schema without dbt: the macros of statistics and schemas over tables in memory."""

import json
from typing import Any

import duckdb

from ml.quoting import literal
from ml.schemas.declaration import schemas
from tests.rendered import package

MACROS = package("statistics/*", "schemas/*", literal=literal)

STATE = """
create or replace table statistics as select 'shop.orders' as relation, now() as computed_at, * from ({statistics});
delete from statistics where window_at = {last} and not list_contains({there}, feature);
insert into statistics by name
    select relation, {last} as window_at, slice, feature, type, 0 as row_count, 0 as missing_count, map() as quantiles,
        [] as top_values
    from statistics group by all having max(window_at) < {last} and list_contains({there}, feature);
create or replace table checks (
    relation varchar, window_at timestamptz, feature varchar, kind varchar, rule varchar, row_count bigint, broken_count bigint,
    examples struct(value varchar, row_count bigint)[], value_counts map(varchar, bigint)
);
"""
"""A window without rows has statistics all the same, as in monitoring.feature_statistics; a column that is not there has none."""


def declared(
    columns: dict[str, Any], schema: dict[str, Any] | None = None, environment: str = "training"
) -> dict[str, Any]:
    """The schema of a relation shop.orders. columns: name to {type, is_required, meta}, or to a type."""
    full = {
        name: {"model": "orders"} | (column if isinstance(column, dict) else {"type": column})
        for name, column in columns.items()
    }
    asked = {
        "relation": "shop.orders",
        "environment": environment,
        "model": "orders",
        "schema": schema,
        "columns": full,
    }
    answer: dict[str, Any] = json.loads(schemas(json.dumps([asked])))
    return answer


def find(
    connection: duckdb.DuckDBPyConnection, windows: list[str], schema: dict[str, Any], **rest: Any
) -> list[dict[str, Any]]:
    """The anomalies of the last window. windows: of each the rows as a query, a month apart from January 2024."""
    connection.execute("set TimeZone = 'UTC'; set threads = 1")
    rows = [
        f"select timestamptz '2024-0{place + 1}-01T00:00:00Z' as window_at, * from ({query})"
        for place, query in enumerate(windows)
    ]
    connection.execute(f"create or replace table given as {' union all by name '.join(rows)}")
    described = dict(connection.execute("select column_name, column_type from (describe given)").fetchall())
    statistics = MACROS.statistics(
        "given", {name: described[name] for name in described if name != "window_at"}, {"window_at": "window_at"}
    )
    there = connection.sql(windows[-1]).columns
    last = f"timestamptz '2024-0{len(windows)}-01T00:00:00Z'"
    connection.execute(STATE.format(statistics=statistics, last=last, there=there))
    return judge(connection, schema, **rest)


def judge(
    connection: duckdb.DuckDBPyConnection,
    schema: dict[str, Any],
    key: list[str] | None = None,
    checks: list[dict[str, str]] | None = None,
    drift: str | None = None,
    as_of: str = "2024-12-31",
) -> list[dict[str, Any]]:
    """The anomalies of the windows that `find` has profiled, by another schema."""
    assert not schema["problems"], schema["problems"]
    types = dict(
        connection.execute(
            "select column_name, column_type from (describe given) where column_name in "
            "(select feature from statistics where window_at = (select max(window_at) from statistics))"
        ).fetchall()
    )
    connection.execute("delete from checks")
    for rule in MACROS.row_rules("shop.orders", schema["columns"], types, checks or [], key or []):
        checked = MACROS.checked_rows("shop.orders", "select *, now() as computed_at from given", rule)
        connection.execute(f"insert into checks by name select * exclude (computed_at) from ({checked})")
    judged = "window_at = (select max(window_at) from windows) and window_at < as_of"
    result = connection.execute(
        MACROS.found_anomalies(schema, "statistics", "checks", drift, judged, f"timestamptz '{as_of}T00:00:00Z'")
    )
    names = [column[0] for column in result.description or []]
    found = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    for anomaly in found:
        anomaly["evidence"] = json.loads(anomaly["evidence"])
        anomaly["suggested_change"] = json.loads(anomaly["suggested_change"] or "null")
    return found
