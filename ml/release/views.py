"""The feature views of a release: their online rows, and what the registry says of them."""

import datetime as dt
import json
from pathlib import Path

import duckdb

from ml import files
from ml.digest import digest
from ml.errors import ReleaseError
from ml.release.feature_file import write_feature_file
from ml.release.manifest import ReleasedView


def write_views(
    session: duckdb.DuckDBPyConnection, feature_views: duckdb.DuckDBPyRelation, as_of: dt.datetime, folder: Path
) -> list[ReleasedView]:
    """Write the latest row of each entity of each online view under a folder. Raises ReleaseError for a table that was not
    made with the registered meaning, or not at this time."""
    columns = "view, version, relation, entity, event_at, known_at, epoch(ttl), columns, fingerprint"
    registered = feature_views.filter("online").select(columns).order("view, version").fetchall()
    views = []
    for view, version, relation, entity, event_at, known_at, ttl, features, fingerprint in registered:
        _refuse_other_state(session, relation, fingerprint, as_of)
        path = folder / "features" / f"{view}_v{version}.arrow"
        names = ", ".join([*entity, event_at, known_at, *features])
        # An aggregate in place of a window: four times as fast, and this runs at each `dbt run`.
        latest = session.sql(
            f"select {names} from (select unnest(arg_max(candidate, ({event_at}, {known_at}))) "
            f"from {relation} as candidate where {known_at} <= ? group by {', '.join(entity)})",
            params=[as_of],
        )
        row_count = write_feature_file(latest.to_arrow_table(), entity, path)
        views.append(
            ReleasedView(
                view=view,
                version=version,
                fingerprint=fingerprint,
                entity=entity,
                event_at=event_at,
                known_at=known_at,
                ttl_seconds=ttl,
                columns=features,
                file=str(path.relative_to(folder)),
                sha256=files.sha256(path),
                row_count=row_count,
            )
        )
    return views


def _refuse_other_state(
    session: duckdb.DuckDBPyConnection, relation: str, fingerprint: str, as_of: dt.datetime
) -> None:
    schema, table = relation.split(".")
    comment = session.execute(
        "select comment from duckdb_tables() where database_name = current_database() and schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchall()
    recorded = json.loads(comment[0][0] or "{}") if comment else {}
    if recorded.get("fingerprint") != fingerprint:
        raise ReleaseError(
            f"{relation}: the table was not built with the meaning that registry.feature_views holds. "
            "Build the feature pipeline again (dbt build --selector feature_pipeline)."
        )
    made_at = recorded.get("as_of")
    if made_at is not None and made_at != round(as_of.timestamp() * 1e6):
        raise ReleaseError(
            f"{relation}: its rows were made when the clock stood at {dt.datetime.fromtimestamp(made_at / 1e6, dt.UTC)}, and "
            f"it stands at {as_of} now; a release holds one time. "
            "Build the feature pipeline again (dbt build --selector feature_pipeline)."
        )


def catalog_digest(feature_views: duckdb.DuckDBPyRelation) -> str:
    """A digest of what people read of the views, the retired ones too. What follows from the data is left out."""
    columns = [
        *("relation", "status", "description", "owner", "tags", "online", "columns", "column_descriptions", "used_by"),
        *("deprecation_date", "fingerprint"),
    ]
    rows = feature_views.select(*columns).order("relation").fetchall()
    return digest([[str(value) for value in row] for row in rows])


def accepted_fingerprints(feature_views: duckdb.DuckDBPyRelation) -> dict[str, set[str]]:
    """For each online view the fingerprints that a model may have been trained on: the present one, and those before it that
    differ by added columns only."""
    accepted = {}
    columns = "view, version, fingerprint, cast(changes as varchar)"
    for view, version, fingerprint, changes in feature_views.filter("online").select(columns).fetchall():
        same = {fingerprint}
        for change in reversed(json.loads(changes)):
            if change["kind"] != "additive":
                break
            same.add(change["fingerprint_before"])
        accepted[f"{view}_v{version}"] = same
    return accepted
