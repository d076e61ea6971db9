"""What is registered, asked: find a feature, see a view, follow a column in both directions. Reads a release's registry."""

from dataclasses import dataclass
from typing import Any

import duckdb

from ml.errors import EiderdownError

Row = dict[str, Any]


class UnknownFeatureError(EiderdownError):
    """A name that the registry does not hold."""


def find_features(connection: duckdb.DuckDBPyConnection, text: str = "") -> list[Row]:
    """The features whose name, view, entity, owner, tags or descriptions hold a text, in any case; all for an empty one.

    Each is {feature, type, entity, status, owner, used_by, description}; `used_by` lists model versions. Active versions
    come first, and of a view the newest.
    """
    query = """
        with features as (
            select *, unnest(map_entries(columns)) as feature from registry.feature_views
        ),
        users as (
            select view, version, "column", list(name || ' ' || name_version order by name, name_version) as used_by
            from registry.feature_usage
            where kind = 'model'
            group by view, version, "column"
        )
        select
            relation || '.' || feature.key as feature,
            feature.value as type,
            array_to_string(entity, ', ') as entity,
            status,
            owner,
            coalesce(users.used_by, []) as used_by,
            coalesce(column_descriptions[feature.key], description) as description
        from features
        left join users
            on features.view = users.view and features.version = users.version and feature.key = users."column"
        where contains(
            lower(concat_ws(' ', relation, feature.key, array_to_string(entity, ' '), owner, array_to_string(tags, ' '),
                features.description, column_descriptions[feature.key])),
            lower($text)
        )
        order by status, features.view, features.version desc, feature.key
    """
    return _rows(connection, query, {"text": text})


def feature_views(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """The versions of feature views: {view, status, entity, ttl, row_count, latest_event_at, used_by}."""
    return _rows(
        connection,
        """
        select view || '_v' || version as view, status, array_to_string(entity, ', ') as entity, ttl, row_count,
            latest_event_at, used_by
        from registry.feature_views
        order by feature_views.view, version desc
        """,
    )


def feature_view(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[Row, list[Row]]:
    """A view's row and its features with their statistics, by `<view>_v<N>`, `features.<view>_v<N>` or `<view>`, its newest.

    Raises UnknownFeatureError where there is none.
    """
    found = _rows(
        connection,
        """
        select * exclude (canonical_sql, definition, columns, column_descriptions, statistics)
        from registry.feature_views
        where $name in (relation, view, view || '_v' || version)
        order by version desc
        limit 1
        """,
        {"name": name},
    )
    if not found:
        raise _unknown(connection, name)
    columns = _rows(
        connection,
        """
        select feature.key as feature, feature.value as type, unnest(statistics[feature.key]),
            column_descriptions[feature.key] as description
        from (select *, unnest(map_entries(columns)) as feature from registry.feature_views)
        where relation = $relation
        """,
        {"relation": found[0]["relation"]},
    )
    return found[0], columns


@dataclass(frozen=True)
class Lineage:
    """A column with what it comes from and what uses it.

    upstream: {source_relation, source_column, usage, depth, is_source}; features: those that are made of it, where it is a
    source's or a model's; users: {kind, name, version, aliases} of datasets and models.
    """

    column: str
    upstream: list[Row]
    features: list[Row]
    users: list[Row]


def lineage_of(connection: duckdb.DuckDBPyConnection, name: str) -> Lineage:
    """Both directions from a column `<relation>.<column>`: of a feature view, or of what feature views are made of.

    Raises UnknownFeatureError where lineage knows no such column.
    """
    relation, _, column = name.rpartition(".")
    names = {"relation": relation, "column": column}
    upstream = _rows(
        connection,
        """
        select source_relation, source_column, usage, depth, is_source
        from registry.feature_lineage
        inner join registry.feature_views using (view, version)
        where $relation in (relation, view || '_v' || version) and feature_lineage."column" = $column
        order by usage desc, depth, source_relation, source_column
        """,
        names,
    )
    made = _rows(
        connection,
        """
        select relation || '.' || feature_lineage."column" as feature, usage, depth
        from registry.feature_lineage
        inner join registry.feature_views using (view, version)
        where source_relation = $relation and source_column = $column and map_contains(columns, feature_lineage."column")
        order by usage desc, feature
        """,
        names,
    )
    users = _rows(
        connection,
        """
        select distinct feature_usage.kind, name, name_version as version, aliases
        from registry.feature_usage
        inner join registry.feature_views using (view, version)
        where relation || '.' || feature_usage."column" in (select unnest($features))
        order by all
        """,
        {"features": [name, f"features.{name}", *(row["feature"] for row in made if row["usage"] == "value")]},
    )
    if not upstream and not made:
        columns = _rows(
            connection,
            "select unnest(list_sort(map_keys(columns))) as name from registry.feature_views "
            "where $name in (relation, view || '_v' || version)",
            {"name": name},
        )
        if columns:
            raise UnknownFeatureError(
                f"'{name}' is a view; name a column of it: {', '.join(row['name'] for row in columns)}."
            )
        raise _unknown(connection, name)
    return Lineage(name, upstream, made, users)


def _unknown(connection: duckdb.DuckDBPyConnection, name: str) -> UnknownFeatureError:
    last = name.rpartition(".")[2]
    near = _rows(
        connection,
        """
        select name from (
            select relation as name, view as last from registry.feature_views
            union
            select relation || '.' || feature, feature
            from (select relation, unnest(map_keys(columns)) as feature from registry.feature_views)
            union
            select source_relation || '.' || source_column, source_column from registry.feature_lineage
        )
        order by jaro_winkler_similarity(name, $name) + jaro_winkler_similarity(last, $last) desc, name
        limit 3
        """,
        {"name": name, "last": last},
    )
    return UnknownFeatureError(
        f"'{name}' is not in the registry of the current release. Did you mean {' or '.join(row['name'] for row in near)}? "
        "`eiderdown features search TEXT` finds features."
    )


def _rows(connection: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, Any] | None = None) -> list[Row]:
    answered = connection.execute(query, parameters or {})
    columns = [column[0] for column in answered.description or []]
    return [dict(zip(columns, row, strict=True)) for row in answered.fetchall()]
