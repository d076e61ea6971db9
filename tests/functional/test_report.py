"""The report over the built demonstration, and the table of what is monitored beside its declarations."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Project


def test_what_is_monitored_stands_in_a_table(built: Project) -> None:
    declared = built.query(
        'select relation, "at", every, slices, model, comparisons, reference_from, reference_to, training_relation '
        "from monitoring.monitored_relations order by relation"
    )
    april = dt.datetime(2013, 4, 1, tzinfo=dt.UTC)
    assert declared == [
        ("datasets.flight_delay", "predicted_at", "month", ["origin"], None, ["reference"], None, april, None),
        (
            *("monitoring.flight_delay_served", "predicted_at", "month", ["origin"], "flight_delay", ["training"]),
            *(None, None, "datasets.flight_delay"),
        ),
    ]


def test_the_report_of_the_demonstration(built: Project, run: Callable[..., Any], tmp_path: Path) -> None:
    told = run("report", "--to", str(tmp_path / "report.html"), "--json")
    assert told["as_of"] == "2013-12-31T12:00:00+00:00"
    named = [light["name"] for light in told["summary"]]
    assert named[:2] == ["datasets.flight_delay", "monitoring.flight_delay_served"] and "flight_delay" in named
    votes = "select 1 from duckdb_tables() where schema_name = 'labels' and ends_with(table_name, '_votes')"
    has_labels = bool(built.query(votes))
    assert (tmp_path / "report.html").read_text().count("<section") == 8 + has_labels
