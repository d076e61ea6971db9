"""What the report is made of: the rows of schema `monitoring` that it shows, read from a warehouse."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from ml.errors import DeclarationError

Row = dict[str, Any]

WINDOWS = 24
"""How many of the latest windows of a relation are shown."""
_REFERENCE_WINDOWS = 100
_TABLES = (
    *("monitored_relations", "feature_statistics", "anomalies", "drift", "model_performance", "serving_consistency"),
    *("alerts", "retraining", "event_files"),
)
_STEP = "case every when 'hour' then to_hours(1) when 'day' then to_days(1) when 'week' then to_days(7) else to_months(1) end"


@dataclass(frozen=True)
class Relation:
    """A monitored relation, as monitoring.monitored_relations has it.

    windows: the begins of its complete ones that have rows, ascending. due_at: the begin of the last one that is complete by
    the clock; later than the last of `windows` where no rows came.
    """

    name: str
    every: str
    model: str | None
    comparisons: list[str]
    windows: list[dt.datetime]
    due_at: dt.datetime


@dataclass(frozen=True)
class Monitoring:
    """All rows that a report shows.

    as_of: what is shown was known then. champions: model → version. The tables hold rows as dicts by column: statistics of
    the slice 'all'; `reference` rows (relation, comparison, feature, window_count, histograms, quantiles and
    top_values as lists with an item a window, row_count) are what current rows are compared with. absent: tables of
    monitoring that the warehouse does not have.
    """

    as_of: dt.datetime
    release: str | None
    champions: dict[str, int]
    relations: list[Relation]
    models: list[str]
    statistics: list[Row]
    reference: list[Row]
    anomalies: list[Row]
    drift: list[Row]
    performance: list[Row]
    consistency: list[Row]
    alerts: list[Row]
    retraining: list[Row]
    torn: list[Row]
    absent: list[str]


def read(
    connection: duckdb.DuckDBPyConnection,
    as_of: dt.datetime | None = None,
    relations: Sequence[str] = (),
    models: Sequence[str] = (),
) -> Monitoring:
    """Read what is monitored.

    connection: to a warehouse. as_of: leave out what came later; by default the clock's. relations ('schema.table'),
    models: show these only, and alerts that name one of them; all if both are empty. Raises DeclarationError where one of
    them is not monitored.
    """
    connection.execute("set TimeZone = 'UTC'")
    reader = _Reader(connection)
    until = as_of or reader.clock()
    declared = reader.rows(
        "monitoring",
        "monitored_relations",
        f"select *, date_trunc(every, $as_of::timestamptz) - {_STEP} as due_at order by relation",
        as_of=until,
    )
    performance = reader.rows("monitoring", "model_performance", "where window_at < $as_of order by all", as_of=until)
    champions = {
        row["model"]: row["version"] for row in reader.rows("registry", "current_aliases", "where alias = 'champion'")
    }
    known = sorted({row["model"] for row in [*declared, *performance] if row["model"]} | set(champions))
    _refuse_unknown("relation", relations, [row["relation"] for row in declared])
    _refuse_unknown("model", models, known)
    is_all = not relations and not models
    chosen = [row for row in declared if is_all or row["relation"] in relations or row["model"] in models]
    models_shown = [model for model in known if is_all or model in models]
    windows = reader.windows(until)
    names = [row["relation"] for row in chosen]
    released = reader.rows("registry", "releases", "where as_of <= $as_of order by as_of, created_at", as_of=until)
    return Monitoring(
        as_of=until,
        release=released[-1]["release"] if released else None,
        champions=champions,
        relations=[
            Relation(
                name=row["relation"],
                every=row["every"],
                model=row["model"],
                comparisons=row["comparisons"],
                windows=windows.get(row["relation"], []),
                due_at=row["due_at"],
            )
            for row in chosen
        ],
        models=models_shown,
        statistics=[
            row for name in names for row in reader.of_windows("feature_statistics", name, windows.get(name, []))
        ],
        reference=[row for one in chosen for row in reader.reference(one, windows.get(one["relation"], []))],
        anomalies=[row for name in names for row in reader.anomalies(name, windows.get(name, []), until)],
        drift=[row for name in names for row in reader.of_windows("drift", name, windows.get(name, []))],
        performance=[row for row in performance if row["model"] in models_shown],
        consistency=_of(
            models_shown,
            reader.rows("monitoring", "serving_consistency", "where window_at < $as_of order by all", as_of=until),
        ),
        alerts=[
            row
            for row in reader.rows(
                "monitoring", "alerts", "where opened_at <= $as_of order by opened_at desc", as_of=until
            )
            if is_all or any(is_about(row, named) for named in (*names, *models_shown))
        ],
        retraining=_of(
            models_shown,
            reader.rows("monitoring", "retraining", "where as_of <= $as_of order by as_of desc, model", as_of=until),
        ),
        torn=reader.rows("monitoring", "event_files", "where torn_count > 0 order by kind, file"),
        absent=[table for table in _TABLES if ("monitoring", table) not in reader.present],
    )


def is_about(alert: Row, name: str) -> bool:
    """Whether an alert's subject names a relation or model, such as `sales.orders.price`, but not as a part of another name."""
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", alert["subject"]) is not None


def _of(models: list[str], rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["model"] in models]


def _refuse_unknown(kind: str, named: Sequence[str], known: list[str]) -> None:
    for one in named:
        if one not in known:
            listed = ", ".join(known) or "none"
            raise DeclarationError(
                f"{one} is no {kind} that is monitored; those are {listed}. A dbt model is monitored by config.meta.monitor in "
                "its YAML, once `dbt run` has built monitoring.monitored_relations."
            )


class _Reader:
    """Reads tables that may not be there."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.present = {
            (row["table_schema"], row["table_name"])
            for row in self._fetch("from information_schema.tables where table_catalog = current_database()")
        }

    def clock(self) -> dt.datetime:
        """The world's time: that of the one table named clock. Raises DeclarationError without one."""
        found = self._fetch(
            "select table_schema as schema from information_schema.columns where table_name = 'clock' and column_name = 'as_of' "
            "and table_catalog = current_database()"
        )
        if len(found) != 1:
            raise DeclarationError(
                f"the warehouse has {len(found)} tables named clock with a column as_of; say --as-of, or build it by `dbt run`."
            )
        schema = found[0]["schema"].replace('"', '""')
        as_of: dt.datetime = self._fetch(f'select cast(as_of as timestamptz) as as_of from "{schema}".clock')[0][
            "as_of"
        ]
        return as_of

    def rows(self, schema: str, table: str, rest: str, **parameters: Any) -> list[Row]:
        """The rows of a table; none where it is not there."""
        if (schema, table) not in self.present:
            return []
        return self._fetch(f"from {schema}.{table} {rest}", parameters)

    def windows(self, until: dt.datetime) -> dict[str, list[dt.datetime]]:
        """The latest complete windows of each relation, ascending."""
        if not {("monitoring", "feature_statistics"), ("monitoring", "monitored_relations")} <= self.present:
            return {}
        found = self._fetch(
            f"""
            select relation, list(window_at order by window_at) as windows
            from (
                select distinct relation, window_at
                from monitoring.feature_statistics
                inner join monitoring.monitored_relations using (relation)
                where window_at + {_STEP} <= $until
                qualify dense_rank() over (partition by relation order by window_at desc) <= {WINDOWS}
            )
            group by relation
            """,
            {"until": until},
        )
        return {row["relation"]: row["windows"] for row in found}

    def of_windows(self, table: str, relation: str, windows: list[dt.datetime]) -> list[Row]:
        """The rows of a table about windows of a relation; statistics of the slice 'all' only."""
        which = "and slice = 'all'" if table == "feature_statistics" else ""
        return self.rows(
            "monitoring",
            table,
            f"where relation = $relation and list_contains($windows::timestamptz[], window_at) {which} order by all",
            relation=relation,
            windows=windows,
        )

    def anomalies(self, relation: str, windows: list[dt.datetime], until: dt.datetime) -> list[Row]:
        """The anomalies since the first window that is shown; also of windows without rows, which have no statistics.

        Those of drift and skew are left out: drift has a section of its own.
        """
        return self.rows(
            "monitoring",
            "anomalies",
            "where relation = $relation and kind not in ('drift', 'skew') and window_at < $until "
            "and window_at >= coalesce($first, '-infinity'::timestamptz) order by all",
            relation=relation,
            first=windows[0] if windows else None,
            until=until,
        )

    def reference(self, declared: Row, windows: list[dt.datetime]) -> list[Row]:
        """What the current window of a relation is compared with, a row for each comparison and feature."""
        if not windows:
            return []
        found = []
        for comparison in declared["comparisons"]:
            relation, first, until = declared["relation"], declared["reference_from"], declared["reference_to"]
            if comparison == "previous":
                first, until = (windows[-2], windows[-1]) if len(windows) > 1 else (None, windows[0])
            elif comparison == "training":
                relation, first, until = declared["training_relation"], None, self._training_end(declared["model"])
            found += self._fetch(
                f"""
                select $of as relation, $comparison as comparison, feature, count(*) as window_count,
                    min(window_at) as first_window_at, max(window_at) as last_window_at,
                    sum(row_count - missing_count) as row_count,
                    list(histogram) as histograms, list(quantiles) as quantiles,
                    list(top_values) as top_values
                from monitoring.feature_statistics
                where relation = $relation and slice = 'all' and window_at >= coalesce($first, '-infinity'::timestamptz)
                    and window_at < coalesce($until, 'infinity'::timestamptz)
                    and window_at in (
                        select distinct window_at from monitoring.feature_statistics
                        where relation = $relation and window_at >= coalesce($first, '-infinity'::timestamptz)
                            and window_at < coalesce($until, 'infinity'::timestamptz)
                        order by window_at desc limit {_REFERENCE_WINDOWS}
                    )
                group by feature
                """,
                {
                    "of": declared["relation"],
                    "comparison": comparison,
                    "relation": relation,
                    "first": first,
                    "until": until,
                },
            )
        return found

    def _training_end(self, model: str) -> dt.datetime | None:
        """Where the training rows of a model's champion end, if it splits by time."""
        if not {("registry", "model_versions"), ("registry", "current_aliases")} <= self.present:
            return None
        found = self._fetch(
            """
            select try_cast(declaration ->> '$.split.validation_from' as timestamptz) as until
            from registry.model_versions
            inner join registry.current_aliases using (model, version)
            where model = $model and alias = 'champion'
            """,
            {"model": model},
        )
        return found[0]["until"] if found else None

    def _fetch(self, query: str, parameters: Row | None = None) -> list[Row]:
        answered = self.connection.execute(query, parameters or {})
        columns = [column[0] for column in answered.description or []]
        return [dict(zip(columns, row, strict=True)) for row in answered.fetchall()]
