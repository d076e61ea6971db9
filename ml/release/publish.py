"""Publishing: the last model of the DAG writes a release aside, checks it, and renames it into place."""

import datetime as dt
import json
import logging
from pathlib import Path

import duckdb
import pyarrow as pa

from ml import files
from ml.canary import check_in_child
from ml.errors import ReleaseError
from ml.release.lock import publisher_lock
from ml.release.manifest import (
    Manifest,
    ReleasedModel,
    ReleasedView,
    all_manifests,
    check_files,
    current_release,
    identity,
    read_manifest,
    releases_folder,
)
from ml.release.views import accepted_fingerprints, catalog_digest, write_views

LATEST_VERSIONS = 3

logger = logging.getLogger("ml.release")


def publish(
    session: duckdb.DuckDBPyConnection,
    clock: duckdb.DuckDBPyRelation,
    feature_views: duckdb.DuckDBPyRelation,
    versions: duckdb.DuckDBPyRelation,
    aliases: duckdb.DuckDBPyRelation,
) -> duckdb.DuckDBPyRelation:
    """Publish the registered feature views and models, if their content is not what is current already.

    The relations are dbt.ref() of the clock and of the registry's tables, so that all that is published is upstream. A
    clock may have a column `replay` beside `as_of`: true where the world stands still at as_of.
    Returns rows of registry.releases for every manifest on disk. Raises ReleaseError where a model was trained on another
    meaning of a view than the one to be published, ArtifactError where a model does not load or its canary scores
    otherwise; the release that was current stays so.
    """
    as_of = clock.select("as_of").fetchall()[0][0].astimezone(dt.UTC)
    replay = "replay" in clock.columns and bool(clock.select("replay").fetchall()[0][0])
    folder = releases_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with publisher_lock(folder):
        files.sweep(folder)
        written = files.aside(folder / "release")
        try:
            name = _write_release(session, as_of, replay, feature_views, versions, aliases, written)
            if name != _current(folder):
                files.write_whole(folder / "current", f"{name}\n".encode())
        except (OSError, duckdb.IOException) as error:
            raise ReleaseError(
                f"{folder}: the release could not be written ({error}). Mend the disk or make room, and run dbt again; "
                "the release before it goes on serving."
            ) from error
        finally:
            files.sweep(folder)
    manifests, problems = all_manifests(folder)
    for problem in problems:
        logger.warning(problem)
    return session.from_arrow(_release_rows(manifests))


def _write_release(
    session: duckdb.DuckDBPyConnection,
    as_of: dt.datetime,
    replay: bool,
    feature_views: duckdb.DuckDBPyRelation,
    versions: duckdb.DuckDBPyRelation,
    aliases: duckdb.DuckDBPyRelation,
    written: Path,
) -> str:
    """Write a release aside and put it in its place, unless it is there, and whole. Returns its name."""
    (written / "features").mkdir(parents=True)
    (written / "models").mkdir()
    views = write_views(session, feature_views, as_of, written)
    named = _current_aliases(aliases)
    models = _write_models(versions, named, accepted_fingerprints(feature_views), written)
    catalog = catalog_digest(feature_views)
    name = identity(as_of.isoformat(), replay, views, models, named, catalog)
    final = written.parent / name
    if _is_whole(final):
        return name
    for model in models:
        path = written / model.file
        check_in_child(model.name, path, model.artifact_format, model.sha256, model.signature, model.canary)
    database = _write_database(session, views, written)
    manifest = Manifest(
        release=name,
        as_of=as_of.isoformat(),
        replay=replay,
        views=views,
        models=models,
        aliases=named,
        catalog=catalog,
        created_at=dt.datetime.now(dt.UTC).isoformat(),
        database=database.name,
        database_sha256=files.sha256(database),
    )
    (written / "manifest.json").write_text(manifest.to_json())
    for path in [*written.rglob("*"), written]:
        if path.is_file():
            path.chmod(0o444)
        files.sync(path)
    if final.exists():
        # A damaged one: a folder cannot be renamed onto another. What is moved aside is swept.
        final.rename(files.aside(final))
    files.adopt(written, final)
    return name


def _current(folder: Path) -> str | None:
    try:
        return current_release(folder)
    except ReleaseError:
        return None


def _is_whole(folder: Path) -> bool:
    """Whether a release is there and every file of it is as it was published."""
    try:
        check_files(folder, read_manifest(folder))
    except ReleaseError:
        return False
    return True


def _current_aliases(aliases: duckdb.DuckDBPyRelation) -> dict[str, dict[str, int]]:
    named: dict[str, dict[str, int]] = {}
    for model, alias, version in aliases.select("model, alias, version").order("model, alias").fetchall():
        named.setdefault(model, {})[alias] = version
    return named


def _write_models(
    versions: duckdb.DuckDBPyRelation, aliases: dict[str, dict[str, int]], views: dict[str, set[str]], folder: Path
) -> list[ReleasedModel]:
    """Copy the artifacts of every aliased version and of each model's latest ones."""
    columns = (
        "model, version, task, estimator, artifact_format, artifact, artifact_sha256, "
        "cast(signature as varchar), cast(canary as varchar)"
    )
    recorded = versions.select(columns).order("model, version").fetchall()
    newest = {row[0]: row[1] for row in recorded}
    models = []
    for model, version, task, estimator, artifact_format, artifact, sha256, signature, canary in recorded:
        is_aliased = version in aliases.get(model, {}).values()
        if not is_aliased and version <= newest[model] - LATEST_VERSIONS:
            continue
        others = [
            f"{view['view']}_v{view['version']}"
            for view in json.loads(signature)["views"]
            if view["fingerprint"] not in views.get(f"{view['view']}_v{view['version']}", ())
        ]
        if others and is_aliased:
            raise ReleaseError(
                f"{model} version {version} was trained on another meaning of {', '.join(others)} than the one that is to "
                "be published, or the view is not online. Train again (dbt build --selector training_pipeline)."
            )
        if others:
            continue
        path = folder / "models" / f"{model}_v{version}{Path(artifact).suffix}"
        path.write_bytes(files.read_checked(files.home() / artifact, sha256))
        file = str(path.relative_to(folder))
        models.append(ReleasedModel(model, version, task, estimator, artifact_format, file, sha256, signature, canary))
    return models


def _write_database(session: duckdb.DuckDBPyConnection, views: list[ReleasedView], folder: Path) -> Path:
    """The same rows for SQL, under the warehouse's names, with the registry."""
    path = folder / "release.duckdb"
    registry = session.execute(
        "select table_name from duckdb_tables() where database_name = current_database() and schema_name = 'registry' "
        "and table_name <> 'releases' order by table_name"
    ).fetchall()
    session.execute(f"attach '{path.as_posix().replace(chr(39), chr(39) * 2)}' as released")
    try:
        session.execute("create schema released.features")
        session.execute("create schema released.registry")
        for view in views:
            rows = pa.ipc.open_file(folder / view.file).read_all().drop_columns(["_key_hash"])
            session.register("_released_rows", rows)
            session.execute(f"create table released.features.{view.name} as select * from _released_rows")
            session.unregister("_released_rows")
        for (table,) in registry:
            session.execute(f"create table released.registry.{table} as select * from registry.{table}")
    finally:
        session.execute("detach released")
    return path


def _release_rows(manifests: list[Manifest]) -> pa.Table:
    text, moment = pa.string(), pa.timestamp("us", tz="UTC")
    schema = pa.schema(
        [
            ("release", text),
            ("as_of", moment),
            ("created_at", moment),
            ("views", pa.map_(text, pa.int64())),
            ("models", pa.map_(text, pa.list_(pa.int32()))),
        ]
    )
    rows = []
    for manifest in manifests:
        versions: dict[str, list[int]] = {}
        for model in manifest.models:
            versions.setdefault(model.model, []).append(model.version)
        rows.append(
            {
                "release": manifest.release,
                "as_of": dt.datetime.fromisoformat(manifest.as_of),
                "created_at": dt.datetime.fromisoformat(manifest.created_at),
                "views": [(view.name, view.row_count) for view in manifest.views],
                "models": list(versions.items()),
            }
        )
    return pa.Table.from_pylist(rows, schema=schema)
