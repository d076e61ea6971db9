"""A release as the server holds it: checked, mapped into memory, with every plan decided."""

import datetime as dt
from pathlib import Path

from ml.release.manifest import Manifest, read_manifest
from serving.predictions.predictor import Predictor
from serving.releases.loaded import LoadedParts
from serving.releases.online_view import OnlineView


class Release:
    """What one request sees from its start to its end. Immutable."""

    def __init__(self, folder: Path, parts: LoadedParts | None = None) -> None:
        """Load a release. parts: what is loaded already, of the release before it.

        Raises ReleaseError or ArtifactError where a file is missing, altered or unreadable.
        """
        parts = parts or LoadedParts()
        self.manifest: Manifest = read_manifest(folder)
        parts.check(self.manifest.database_sha256, folder / self.manifest.database)
        self.name = self.manifest.release
        self.as_of = dt.datetime.fromisoformat(self.manifest.as_of)
        self.views = {view.name: OnlineView(view, folder / view.file, parts) for view in self.manifest.views}
        self.predictors = {
            (model.model, model.version): Predictor(model, folder / model.file, self.views, self.as_of, parts)
            for model in self.manifest.models
        }
        self.aliases = self.manifest.aliases

    def now(self) -> dt.datetime:
        """The time that a request is about unless it says so: as_of in a replay, otherwise the wall clock."""
        return self.as_of if self.manifest.replay else max(dt.datetime.now(dt.UTC), self.as_of)

    def view(self, name: str) -> OnlineView | None:
        """A view by `<view>_v<N>`, or its latest version by `<view>`."""
        if name in self.views:
            return self.views[name]
        versions = [view for view in self.views.values() if view.released.view == name]
        return max(versions, key=lambda view: view.released.version, default=None)

    def is_computed(self, name: str) -> bool:
        """Whether a view, by either name, is computed from the request, so that nothing of it is stored."""
        views = {one.view for model in self.predictors.values() for one in model.signature.expressions}
        return name in views | {view.rpartition("_v")[0] for view in views}
