"""A warehouse with made-up rows in schema `monitoring`, by its contracts, for what reads them."""

import datetime as dt
import json
import random
import re
from typing import Any

import duckdb
import pyarrow as pa
import yaml

from tests.conftest import REPOSITORY

Row = dict[str, Any]
MONTHS = [dt.datetime(2012 + month // 12, month % 12 + 1, 1, tzinfo=dt.UTC) for month in range(36)]
QUANTILES = ((0.05, -1.6), (0.25, -0.7), (0.5, 0.0), (0.75, 0.7), (0.95, 1.6))
METHODS = (
    *("ks", "psi", "js_divergence_log2", "js_distance_log2", "js_distance_ln", "wasserstein", "wasserstein_normalised"),
    *(
        "hellinger",
        "l_infinity",
        "chi_square",
        "chi_square_reference_exact",
        "normalised_absolute_difference",
        "missing",
    ),
)


def tables() -> dict[str, str]:
    """The DDL of the tables of monitoring, {table: columns}; a column that made-up rows lack may be null."""
    found = {}
    for file in ("monitoring/monitoring_contracts.sql", "events/event_contracts.sql"):
        text = (REPOSITORY / "macros" / file).read_text()
        declared = re.search(r"set contracts -%}(.*?){%- endset", text, re.DOTALL)
        assert declared
        for table, contract in yaml.safe_load(declared[1]).items():
            columns = [
                f"{name} {definition.replace(' not null', '')}" for name, definition in contract["columns"].items()
            ]
            found[table] = ", ".join([*columns, f"primary key ({', '.join(contract['primary_key'])})"])
    return found


def warehouse(as_of: str = "2014-12-10T12:00:00Z") -> duckdb.DuckDBPyConnection:
    """An empty one in memory, with the clock."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    for schema in ("monitoring", "staging", "registry"):
        connection.execute(f"create schema {schema}")
    for table, ddl in tables().items():
        connection.execute(f"create table monitoring.{table} ({ddl})")
    connection.execute(f"create table staging.clock as select timestamptz '{as_of}' as as_of")
    connection.execute("create table registry.current_aliases (model varchar, alias varchar, version integer)")
    connection.execute("create table registry.releases (release varchar, as_of timestamptz, created_at timestamptz)")
    connection.execute("create table registry.model_versions (model varchar, version integer, declaration json)")
    return connection


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[Row]) -> None:
    """Rows of one table; columns that they lack are null. A map is a list of pairs."""
    names = list({name: None for row in rows for name in row})
    empty = connection.sql(f"select columns(lambda c: c in {names!r}) from monitoring.{table} limit 0").to_arrow_table()
    fields = [pa.field(one.name, getattr(one.type, "storage_type", one.type)) for one in empty.schema]
    connection.register("made_up", pa.Table.from_pylist(rows, schema=pa.schema(fields)))
    connection.execute(f"insert into monitoring.{table} by name from made_up")
    connection.unregister("made_up")


def monitored(connection: duckdb.DuckDBPyConnection, relation: str, **declared: Any) -> None:
    """A relation that is monitored, by month and compared with what came before 2013 unless declared otherwise."""
    row = {"relation": relation, "at": "at", "every": "month", "slices": ["site"], "comparisons": ["reference"]}
    insert(connection, "monitored_relations", [row | {"reference_to": MONTHS[12]} | declared])


def statistics(relation: str, features: list[str], windows: list[dt.datetime], seed: int = 1) -> list[Row]:
    """Rows of monitoring.feature_statistics: numbers, and every fifth feature text; they move by and by."""
    drawn = random.Random(seed)
    rows = []
    for place, feature in enumerate(features):
        is_text = place % 5 == 4
        middle, spread = drawn.uniform(-100, 100), drawn.uniform(0.1, 50)
        for step, window_at in enumerate(windows):
            moved = middle + (step * spread / 12 if place % 3 == 0 else 0)
            rows.append(
                {
                    "relation": relation,
                    "window_at": window_at,
                    "slice": "all",
                    "feature": feature,
                    "type": "varchar" if is_text else "double",
                    "row_count": 1000,
                    "missing_count": drawn.randrange(100),
                    "nan_count": 0,
                    "infinite_count": 0,
                    "zero_count": 3,
                    "distinct_count": 4 if is_text else 900,
                    "computed_at": window_at,
                    "top_values": [{"value": f"value {n}", "row_count": drawn.randrange(99, 250)} for n in range(4)],
                    "histogram": [] if is_text else _histogram(moved, spread, drawn),
                    "quantile_histogram": [],
                    "quantiles": []
                    if is_text
                    else [
                        (q, moved + spread * z)
                        for q, z in zip((0.05, 0.25, 0.5, 0.75, 0.95), (-1.6, -0.7, 0, 0.7, 1.6), strict=True)
                    ],
                    "mean": None if is_text else moved,
                    "min": "value 0" if is_text else str(moved - 2.5 * spread),
                    "max": "value 3" if is_text else str(moved + 4 * spread),
                }
            )
    return rows


def _histogram(middle: float, spread: float, drawn: random.Random) -> list[Row]:
    weights = [drawn.uniform(0.8, 1.2) * 0.4 ** (abs(place - 9.5) ** 2 / 16) for place in range(20)]
    ends = [middle + spread * (place - 10) / 4 for place in range(21)]
    return [
        {"low": low, "high": high, "row_count": round(weight * 100)}
        for low, high, weight in zip(ends, ends[1:], weights, strict=False)
    ]


def drift(
    relation: str, features: list[str], windows: list[dt.datetime], comparison: str = "reference", seed: int = 2
) -> list[Row]:
    """Rows of monitoring.drift: every eighth feature drifts in the end, and one in eight is beyond in the last window."""
    drawn = random.Random(seed)
    rows = []
    for place, feature in enumerate(features):
        for method in METHODS:
            for step, window_at in enumerate(windows):
                since = {0: 3, 1: 1}.get(place % 8, 0)
                is_beyond = step >= len(windows) - since and method in ("ks", "psi", "missing")
                rows.append(
                    {
                        "relation": relation,
                        "comparison": comparison,
                        "window_at": window_at,
                        "slice": "all",
                        "feature": feature,
                        "method": method,
                        "value": drawn.uniform(0.12, 0.4) if is_beyond else drawn.uniform(0.01, 0.09),
                        "threshold": 0.1,
                        "p_value": None if method != "ks" else drawn.random(),
                        "adjusted_p_value": None if method != "ks" else drawn.random(),
                        "reference_count": 12000,
                        "row_count": 1000,
                        "is_beyond": is_beyond,
                        "is_drifted": is_beyond and step > len(windows) - since,
                    }
                )
    return rows


def performance(model: str, windows: list[dt.datetime], slices: list[str], seed: int = 3) -> list[Row]:
    """Rows of monitoring.model_performance: estimated in all windows, realised in all but the last two; one slice decays."""
    drawn = random.Random(seed)
    return [
        {
            "model": model,
            "version": 1,
            "window_at": window_at,
            "slice": slice_,
            "metric": metric,
            "basis": basis,
            "value": (value := level + drawn.uniform(-0.02, 0.02) - (step * 0.01 if slice_ == slices[-1] else 0)),
            "low": value - 0.03,
            "high": value + 0.03,
            "row_count": 5000,
            "outcome_count": 4900 if basis == "realised" else 0,
            "reference_value": level,
            "threshold": level - 0.05,
            "is_degraded": slice_ == slices[-1] and step > 5,
        }
        for metric, level in (("auc", 0.74), ("log_loss", 0.48))
        for slice_ in slices
        for basis, shown in (("estimated", windows), ("realised", windows[:-2]))
        for step, window_at in enumerate(shown)
    ]


def everything(
    connection: duckdb.DuckDBPyConnection, features: list[str], windows: int, text: str = "as it should not be"
) -> None:
    """Rows in every table, of the relation sales.orders and the served predictions of the model churn.

    text: stands wherever a text of the data does. windows: 24 at most.
    """
    months = MONTHS[-windows - 2 :][:windows]
    monitored(connection, "sales.orders", reference_to=months[3])
    monitored(
        connection, "monitoring.churn_served", model="churn", comparisons=["training"], training_relation="sales.orders"
    )
    for relation, comparison in (("sales.orders", "reference"), ("monitoring.churn_served", "training")):
        insert(connection, "feature_statistics", statistics(relation, features, months))
        insert(connection, "drift", drift(relation, features, months, comparison))
    now = months[-1]
    about = {"relation": "sales.orders", "window_at": now, "evidence": "{}", "environment": "training", "text": text}
    insert(
        connection,
        "drift",
        [row | {"slice": f"site={text}"} for row in drift("sales.orders", features[:2], months[-3:])],
    )
    insert(
        connection,
        "anomalies",
        [
            about
            | {
                "environment": "training",
                "feature": features[0],
                "kind": "unknown_value",
                "severity": "error",
                "text": text,
            },
            about
            | {"environment": "training", "feature": features[-1], "kind": text, "severity": "warning", "text": text},
        ],
    )
    connection.execute("insert into registry.current_aliases values ('churn', 'champion', 1)")
    connection.execute("insert into registry.releases values (?, timestamptz '2014-01-01', now())", [text])
    insert(connection, "model_performance", performance("churn", months, ["all", "site=A", f"site={text}"]))
    counts = {"compared_count": 1000, "mismatch_count": 0, "missing_count": 0, "extra_count": 0}
    served = {"model": "churn", "version": 1, "window_at": now}
    example = {"feature": features[1], "mismatch_count": 3, "example": json.dumps({"logged": text})}
    insert(
        connection,
        "serving_consistency",
        [served | counts | {"feature": features[0], "example": None}, served | counts | example],
    )
    alert = {
        "rule": "drift",
        "severity": "error",
        "text": text,
        "evidence": "{}",
        "opened_at": now,
        "last_seen_at": now,
    }
    insert(
        connection,
        "alerts",
        [
            alert | {"alert": "1", "subject": f"sales.orders {text}", "status": "open"},
            alert | {"alert": "2", "subject": "churn", "status": "acknowledged", "acknowledged_by": text},
            alert | {"alert": "3", "subject": "churn", "status": "resolved", "resolved_at": now},
        ],
    )
    decided = {"model": "churn", "as_of": now, "version": 1, "reasons": [text], "text": text, "evidence": "{}"}
    insert(connection, "retraining", [decided | {"decision": "retrain"}])
    file = {"kind": "predictions", "file": f"{text}.jsonl", "size_bytes": 9000, "line_count": 90, "event_count": 89}
    insert(connection, "event_files", [file | {"torn_count": 1}])
