"""The release that follows from the current one by a decision: the same rows, other aliases or models."""

import dataclasses
import datetime as dt
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ml import files
from ml.datasets.versions import in_memory
from ml.errors import DeclarationError
from ml.promotion.decision import Decision, read_decisions, record
from ml.promotion.fold import add_row, fold
from ml.registry.models import kept_rows, to_record
from ml.release.database import attach, detach, registry_digest, released_table
from ml.release.manifest import Manifest, check_files, current_release, identity, read_manifest, releases_folder
from ml.release.models import named_aliases, write_models
from ml.release.place import check_models, is_whole, point_to, publishing, put_in_place
from ml.release.views import accepted_fingerprints


class NextRelease:
    """The current release with every decision so far, written aside; `publish` adds one more and makes it current."""

    def __init__(self, session: duckdb.DuckDBPyConnection, manifest: Manifest, written: Path) -> None:
        self._session, self._manifest, self._written = session, manifest, written
        known = released_table(session, "model_versions").select("model, version").fetchall()
        for row in kept_rows(files.home()):
            # Trained since the release was published.
            if (row["model"], row["version"]) not in known:
                add_row(session, "model_versions", to_record(row))
        self.decisions: list[Decision] = read_decisions()
        fold(session, self.decisions)

    @property
    def aliases(self) -> dict[str, dict[str, int]]:
        """{model: {alias: version}}."""
        return named_aliases(self.table("current_aliases"))

    @property
    def views(self) -> dict[str, set[str]]:
        """For each view that is online, the fingerprints that a model may have been trained on."""
        return accepted_fingerprints(self.table("feature_views"))

    def table(self, name: str) -> duckdb.DuckDBPyRelation:
        """A table of the registry."""
        return released_table(self._session, name)

    def check_version(self, model: str, version: int) -> None:
        """Raise DeclarationError where there is no such version, with those that there are."""
        there = self.table("model_versions").select("model, version").order("model, version").fetchall()
        if (model, version) not in there:
            of_model = [f"{name} {number}" for name, number in there if name == model]
            named = ", ".join(of_model or [f"{name} {number}" for name, number in there]) or "none"
            raise DeclarationError(
                f"there is no version {version} of a model '{model}'. The versions are {named}; name one of these, or train "
                "it first."
            )

    def publish(self, decision: Decision) -> str:
        """Record a decision and let it take effect. Returns the name of the release that is current then.

        All that can be refused is before the event, and the event before what it changes: a kill in between leaves either
        nothing, or an event that the next decision or `dbt run` brings to effect. Raises ReleaseError and ArtifactError as
        publishing does.
        """
        decision = dataclasses.replace(decision, decided_at=self._later(decision.decided_at))
        fold(self._session, [decision])
        named = self.aliases
        models = write_models(self.table("model_versions"), named, self._manifest.serving, self.views, self._written)
        check_models(self._written, [model for model in models if model not in self._manifest.models])
        old, catalog = self._manifest, registry_digest(self._session)
        name = identity(old.as_of, old.replay, old.views, models, named, old.serving, catalog)
        folder = self._written.parent
        detach(self._session)
        if not is_whole(folder / name):
            manifest = dataclasses.replace(
                old,
                release=name,
                models=models,
                aliases=named,
                catalog=catalog,
                created_at=dt.datetime.now(dt.UTC).isoformat(),
                database_sha256=files.sha256(self._written / old.database),
            )
            (self._written / "manifest.json").write_text(manifest.to_json())
            record(decision)
            put_in_place(self._written, folder / name)
        else:
            record(decision)
        point_to(folder, name)
        return name

    def _later(self, moment: dt.datetime) -> dt.datetime:
        """A time after every decision and alias that there is, also where the wall clock was set back."""
        known = [since for (since,) in self.table("model_aliases").select("since").fetchall()]
        known += [decision.decided_at for decision in self.decisions]
        latest: dt.datetime = max([moment, *(time + dt.timedelta(microseconds=1) for time in known)])
        return latest


@contextmanager
def next_release() -> Iterator[NextRelease]:
    """Prepare the next release under the publisher's lock, so that one is decided at a time and dbt publishes before or after.

    Raises ReleaseError where there is no current release, or a file of it is missing or altered.
    """
    folder = releases_folder()
    with publishing(folder) as written:
        current = folder / current_release(folder)
        manifest = read_manifest(current)
        check_files(current, manifest)
        (written / "models").mkdir(parents=True)
        for view in manifest.views:
            _link(current / view.file, written / view.file)
        shutil.copyfile(current / manifest.database, written / manifest.database)
        with in_memory() as session:
            attach(session, written / manifest.database)
            yield NextRelease(session, manifest, written)


def _link(source: Path, target: Path) -> None:
    """The same file under another name, or a copy where the disk knows no links."""
    target.parent.mkdir(exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
