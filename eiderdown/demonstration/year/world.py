"""What happened in the year, in the order in which one could know it: rows for the feature views, flights, landings."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from eiderdown.demonstration.year.incidents import Incident, asked, reaches
from ml.field_types import encode

STEP = dt.timedelta(hours=1)
LEAD = "interval 2 hour"
"""How long before its scheduled departure a flight is asked for."""
_REQUEST = ("tailnum", "carrier", "flight", "origin", "dest", "sched_dep_at", "distance")

Row = dict[str, Any]


@dataclass
class Hour:
    """What reaches the platform in an hour, in this order."""

    pushes: dict[str, list[Row]] = field(default_factory=dict)
    """Rows by feature view; each tells when it was known."""
    asked: list[tuple[str, Row]] = field(default_factory=list)
    """Flights: their identifiers, and the instances to predict."""
    landed: list[tuple[str, bool, dt.datetime]] = field(default_factory=list)
    """Flights, whether they were late, and since when one knows."""


class World:
    """The whole year, from a warehouse whose clock stands after it."""

    def __init__(self, database: Path, planted: tuple[Incident, ...]) -> None:
        self._connection = duckdb.connect(str(database), read_only=True)
        self._connection.execute("set TimeZone = 'UTC'")
        self._planted = planted

    def hours(self, start: dt.datetime, end: dt.datetime) -> Iterator[Hour]:
        """The hours between two times in which something happens."""
        hours: dict[int, Hour] = {}

        def at(moment: dt.datetime) -> Hour:
            return hours.setdefault((moment - start) // STEP, Hour())

        for view, row in self._rows(start, end):
            if reaches(view, row["known_at"], self._planted):
                at(row["known_at"]).pushes.setdefault(view, []).append(encode(row))
        for flight_id, row in self._flights(start, end):
            if instance := asked(row, row["predicted_at"], self._planted):
                at(row["predicted_at"]).asked.append((flight_id, encode(instance)))
        for flight_id, is_late, arrived_at in self._landings(start, end):
            at(arrived_at).landed.append((flight_id, is_late, arrived_at))
        for place in sorted(hours):
            yield hours[place]

    def _rows(self, start: dt.datetime, end: dt.datetime) -> Iterator[tuple[str, Row]]:
        views = self._connection.execute(
            "select view, relation from registry.feature_views where online and kind = 'stored' and status = 'active'"
        ).fetchall()
        for view, relation in views:
            result = self._connection.execute(
                f"select * from {relation} where known_at >= ? and known_at < ? order by known_at", [start, end]
            )
            names = [column[0] for column in result.description]
            yield from ((view, dict(zip(names, row, strict=True))) for row in result.fetchall())

    def _flights(self, start: dt.datetime, end: dt.datetime) -> Iterator[tuple[str, Row]]:
        query = (
            f"select flight_id, sched_dep_at - {LEAD} as predicted_at, {', '.join(_REQUEST)} from staging.flights "
            "where predicted_at >= ? and predicted_at < ? order by predicted_at, flight_id"
        )
        for flight_id, *values in self._connection.execute(query, [start, end]).fetchall():
            yield flight_id, dict(zip(("predicted_at", *_REQUEST), values, strict=True))

    def _landings(self, start: dt.datetime, end: dt.datetime) -> list[tuple[str, bool, dt.datetime]]:
        query = (
            "select flight_id, arrival_delay >= 15, arrived_at from staging.flights "
            "where arrived_at >= ? and arrived_at < ? and arrival_delay is not null order by arrived_at, flight_id"
        )
        return self._connection.execute(query, [start, end]).fetchall()
