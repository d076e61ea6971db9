"""monitoring.retraining: each reason, and what holds it back."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import duckdb
import pytest

from ml.errors import DeclarationError
from ml.training.retrain import Retrain
from tests.rendered import package

MACROS = package("monitoring/retraining_decisions", "monitoring/monitored", "features/fingerprint")
SERVED = [{"model": "late", "relation": "monitoring.late_served", "every": "month"}]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """The clock stands in the middle of July 2013; two windows were judged since the version learned until March."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            "create table clock as select timestamptz '2013-07-15' as as_of;"
            "create table drift (relation varchar, comparison varchar, window_at timestamptz, slice varchar, feature varchar, "
            "is_drifted boolean);"
            "create table performance (model varchar, window_at timestamptz, slice varchar, basis varchar, metric varchar, "
            "value double, threshold double, is_degraded boolean)"
        )
        for month in ("2013-05-01", "2013-06-01"):
            for feature in ("a", "b", "c", "d", "score", "(all)"):
                row = ["monitoring.late_served", "training", month, "all", feature, False]
                connection.execute("insert into drift values (?, ?, ?, ?, ?, ?)", row)
            row = ["late", month, "all", "realised", "auc", 0.7, 0.65, False]
            connection.execute("insert into performance values (?, ?, ?, ?, ?, ?, ?, ?)", row)
        yield connection


def decide(
    connection: duckdb.DuckDBPyConnection, rules: dict[str, Any], until: str = "2013-03-31 20:00+00", new_rows: int = 0
) -> tuple[str, list[str], str]:
    version = {
        "model": "late",
        "version": 3,
        "learned_until": f"timestamptz '{until}'",
        "row_count": 1000,
        "latest_row_count": 1000 + new_rows,
        "rules": asdict(Retrain.parse("retrain", {"on_decision": rules})),
    }
    relations = {"drift": "drift", "model_performance": "performance"}
    query = MACROS.retraining_decisions([version], SERVED, relations, "clock")
    [row] = connection.execute(f"select decision, reasons, text, evidence from ({query})").fetchall()
    assert json.loads(row[3])["new_rows"] == new_rows
    return row[:3]


def drifts(connection: duckdb.DuckDBPyConnection, month: str, features: list[str]) -> None:
    connection.execute("update drift set is_drifted = true where window_at = ? and feature in ?", [month, features])


def test_nothing_has_happened(connection: duckdb.DuckDBPyConnection) -> None:
    assert decide(connection, {}) == ("keep", [], "nothing that its rules name has happened")


def test_drift_counts_features_of_the_last_window(connection: duckdb.DuckDBPyConnection) -> None:
    drifts(connection, "2013-06-01", ["a", "score", "(all)"])
    assert decide(connection, {})[0] == "keep"
    drifts(connection, "2013-06-01", ["b"])
    assert decide(connection, {}) == ("retrain", ["drift"], "2 of 4 features have drifted (a, b)")
    assert decide(connection, {"drifted_share": 0.6})[0] == "keep"
    assert decide(connection, {"drifted_share": None})[0] == "keep"
    # A version that learned from most of that window has seen it.
    assert decide(connection, {}, until="2013-06-17")[0] == "keep"
    assert decide(connection, {}, until="2013-06-15")[0] == "retrain"
    drifts(connection, "2013-05-01", ["a", "b", "c", "d"])
    connection.execute("update drift set is_drifted = false where window_at = '2013-06-01'")
    assert decide(connection, {})[0] == "keep"


def test_a_window_that_is_not_complete_does_not_count(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("update drift set window_at = '2013-07-01', is_drifted = true where window_at = '2013-06-01'")
    assert decide(connection, {})[0] == "keep"


def test_decay_age_and_new_rows(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("update performance set is_degraded = true, value = 0.6 where window_at = '2013-06-01'")
    assert decide(connection, {}) == ("retrain", ["decay"], "realised auc is 0.6, threshold 0.65")
    assert decide(connection, {"degraded": False})[0] == "keep"
    rules = {"degraded": False, "max_age": "15 weeks", "new_rows": 50, "new_share": 0.1}
    assert decide(connection, rules, new_rows=100) == (
        "retrain",
        ["age", "new_rows", "new_share"],
        "it learned until 105.2 days ago; 100 rows are new; 10.0 % more rows than it learned from",
    )
    assert decide(
        connection, {"degraded": False, "max_age": "16 weeks", "new_rows": 101, "new_share": 0.2}, new_rows=100
    ) == (
        "keep",
        [],
        "nothing that its rules name has happened",
    )


def test_not_more_often_than(connection: duckdb.DuckDBPyConnection) -> None:
    assert decide(connection, {"new_rows": 1, "not_more_often_than": "120 days"}, new_rows=2) == (
        "keep",
        ["new_rows"],
        "2 rows are new; it learned until 105.2 days ago, and is trained not more often than every 120 days",
    )
    assert decide(connection, {"new_rows": 1, "not_more_often_than": "100 days"}, new_rows=2)[0] == "retrain"


def test_no_model_waits_for_a_decision(connection: duckdb.DuckDBPyConnection) -> None:
    query = MACROS.retraining_decisions([], [], {"drift": "drift", "model_performance": "performance"}, "clock")
    assert connection.execute(query).fetchall() == []
    # The types are those of the contract, also where nothing says them.
    types = dict(connection.execute(f"select column_name, column_type from (describe {query})").fetchall())
    assert types == {
        "model": "VARCHAR",
        "as_of": "TIMESTAMP WITH TIME ZONE",
        "version": "INTEGER",
        "decision": "VARCHAR",
        "reasons": "VARCHAR[]",
        "text": "VARCHAR",
        "evidence": "JSON",
    }


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (
            "on_decisoin",
            "retrain is 'on_decisoin'; it must be one of on_change, on_decision. Did you mean 'on_decision'?",
        ),
        ({"on_drift": {}}, "retrain has the unknown field 'on_drift'"),
        ({"on_decision": {"drift": 1}}, "retrain.on_decision has the unknown field 'drift'"),
        (
            {"on_decision": {"drifted_share": 2}},
            "drifted_share is '2'; it must be a number of at least 0 and of at most 1",
        ),
        ({"on_decision": {"degraded": "yes"}}, "degraded is 'yes'; it must be true or false"),
        ({"on_decision": {"max_age": "90 dayz"}}, "max_age is '90 dayz'; it must be a length of time such as 90 days"),
        ({"on_decision": {"not_more_often_than": 7}}, "not_more_often_than is '7'; it must be a length of time"),
    ],
)
def test_a_mistake_in_a_declaration(declared: Any, problem: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        Retrain.parse("retrain", declared)
    assert problem in str(raised.value)


def test_a_length_of_time() -> None:
    assert Retrain.parse("retrain", "on_decision") == Retrain("on_decision")
    given = Retrain.parse("retrain", {"on_decision": {"max_age": "2 weeks", "not_more_often_than": "1 hour"}})
    assert (given.max_age, given.not_more_often_than) == (dt.timedelta(weeks=2).total_seconds(), 3600)
