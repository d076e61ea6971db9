"""A release as the server holds it: checked, mapped into memory, with every plan decided."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa

from ml.field_types import sql_type
from ml.release.feature_file import FeatureFile
from ml.release.manifest import Manifest, ReleasedView, check_files, read_manifest
from serving.instances import Fields
from serving.predictor import Predictor
from serving.push_contract import CheckedRow, PushContract
from serving.pushed_rows import Key, Moments, PushedRow, PushedRows

_EARLIEST, _LATEST = dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)


class OnlineView:
    """A version of a feature view: its rows by entity key, and those that were pushed since."""

    def __init__(self, view: ReleasedView, path: Path) -> None:
        self.released = view
        self.file = FeatureFile(path, view.entity)
        types = {name: sql_type(self.file.table.schema.field(name).type) for name in view.entity}
        self.keys = Fields(types, required=set(view.entity))
        self._events = self.file.table.column(view.event_at)
        self._known = self.file.table.column(view.known_at)
        self.contract = PushContract(view, self.file.table.schema)
        self.pushed = PushedRows()

    def find(self, key: tuple[Any, ...], at: dt.datetime) -> tuple[int, str]:
        """The place of an entity's row and its status at a time: 'present', 'not_found' or 'expired'."""
        place = self.file.find(key)
        if place < 0:
            return place, "not_found"
        ttl = self.released.ttl_seconds
        if ttl is not None:
            event_at = self.event_at(place)
            if event_at is None or at - event_at > dt.timedelta(seconds=ttl):
                return place, "expired"
        return place, "present"

    def push(self, row: CheckedRow, logged_at: str, event_id: str) -> None:
        """Take a pushed row, unless the release's own row of the entity is as new."""
        released = self.moments(row.key)
        if released is None or (row.event_at, row.known_at) > released:
            self.pushed.add(row.key, PushedRow(row.event_at, row.known_at, logged_at, event_id, row.values))

    def find_pushed(self, key: Key, at: dt.datetime) -> tuple[PushedRow | None, str]:
        """The pushed row that stands in the place of the release's own at a time, and its status as `find` has it."""
        row = self.pushed.newest(key, at)
        # What the release's own row beats was not taken, so what is here is newer.
        if row is None:
            return None, "not_found"
        ttl = self.released.ttl_seconds
        return row, "expired" if ttl is not None and at - row.event_at > dt.timedelta(seconds=ttl) else "present"

    def moments(self, key: Key) -> Moments | None:
        """The event_at and known_at of the release's own row of an entity; None where it has none."""
        place = self.file.find(key)
        if place < 0:
            return None
        return _moment(self._events[place]), _moment(self._known[place])

    def event_at(self, place: int) -> dt.datetime | None:
        """When the row's event was; None before the year 1, such as DuckDB's '-infinity'."""
        try:
            moment: dt.datetime = self._events[place].as_py()
        except OverflowError:
            return None
        return moment


def _moment(scalar: pa.Scalar) -> dt.datetime:
    """A stored time; one outside the years 1 to 9999 is the first or last that Python has."""
    try:
        moment: dt.datetime | None = scalar.as_py()
    except OverflowError:
        return _LATEST if scalar.value > 0 else _EARLIEST
    return _EARLIEST if moment is None else moment


class Release:
    """What one request sees from its start to its end. Immutable."""

    def __init__(self, folder: Path) -> None:
        """Load a release. Raises ReleaseError or ArtifactError where a file is missing, altered or unreadable."""
        self.manifest: Manifest = read_manifest(folder)
        check_files(folder, self.manifest)
        self.name = self.manifest.release
        self.as_of = dt.datetime.fromisoformat(self.manifest.as_of)
        self.views = {view.name: OnlineView(view, folder / view.file) for view in self.manifest.views}
        self.predictors = {
            (model.model, model.version): Predictor(model, folder / model.file, self.views, self.as_of)
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
