"""Publishing: the last model of the DAG writes a release aside, checks it, and renames it into place."""

import datetime as dt
import logging
from pathlib import Path

import duckdb
import pyarrow as pa

from ml import files
from ml.promotion.decision import read_decisions
from ml.promotion.fold import fold
from ml.release.database import NAME, attached, copy_registry, copy_views, registry_digest, released_table
from ml.release.manifest import Manifest, all_manifests, identity, releases_folder
from ml.release.models import declared_serving, named_aliases, write_models
from ml.release.place import check_models, is_whole, point_to, publishing, put_in_place
from ml.release.views import accepted_fingerprints, write_views

logger = logging.getLogger("ml.release")


def publish(
    session: duckdb.DuckDBPyConnection,
    clock: duckdb.DuckDBPyRelation,
    feature_views: duckdb.DuckDBPyRelation,
    versions: duckdb.DuckDBPyRelation,
    aliases: duckdb.DuckDBPyRelation,
) -> duckdb.DuckDBPyRelation:
    """Publish the registered feature views and models, if their content is not what is current already.

    The relations are dbt.ref() of the clock and of the registry's tables, so that all that is published is upstream; versions
    and aliases are read from the release's copy of the registry, which has the latest decisions by hand too. A
    clock may have a column `replay` beside `as_of`: true where the world stands still at as_of.
    Returns rows of registry.releases for every manifest on disk. Raises ReleaseError where a model was trained on another
    meaning of a view than the one to be published, ArtifactError where a model does not load or its canary scores
    otherwise; the release that was current stays so.
    """
    as_of = clock.select("as_of").fetchall()[0][0].astimezone(dt.UTC)
    replay = "replay" in clock.columns and bool(clock.select("replay").fetchall()[0][0])
    folder = releases_folder()
    with publishing(folder) as written:
        point_to(folder, _write_release(session, as_of, replay, feature_views, written))
    manifests, problems = all_manifests(folder)
    for problem in problems:
        logger.warning(problem)
    return session.from_arrow(_release_rows(manifests))


def _write_release(
    session: duckdb.DuckDBPyConnection,
    as_of: dt.datetime,
    replay: bool,
    feature_views: duckdb.DuckDBPyRelation,
    written: Path,
) -> str:
    """Write a release aside and put it in its place, unless it is there, and whole. Returns its name."""
    (written / "features").mkdir(parents=True)
    (written / "models").mkdir()
    views = write_views(session, feature_views, as_of, written)
    with attached(session, written / NAME):
        copy_registry(session)
        # What was decided while dbt ran is in force already; the registry has it after the next run.
        fold(session, read_decisions())
        named = named_aliases(released_table(session, "current_aliases"))
        versions = released_table(session, "model_versions")
        declared = declared_serving(released_table(session, "training_decisions"))
        models = write_models(versions, named, declared, accepted_fingerprints(feature_views), written)
        catalog = registry_digest(session)
        serving = {model: declared[model] for model in declared if model in {one.model for one in models}}
        name = identity(as_of.isoformat(), replay, views, models, named, serving, catalog)
        if is_whole(written.parent / name):
            return name
        copy_views(session, views, written)
    check_models(written, models)
    manifest = Manifest(
        release=name,
        as_of=as_of.isoformat(),
        replay=replay,
        views=views,
        models=models,
        aliases=named,
        serving=serving,
        catalog=catalog,
        created_at=dt.datetime.now(dt.UTC).isoformat(),
        database=NAME,
        database_sha256=files.sha256(written / NAME),
    )
    (written / "manifest.json").write_text(manifest.to_json())
    put_in_place(written, written.parent / name)
    return name


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
