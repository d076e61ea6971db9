"""Models and features for notebooks: frames in, arrays and Arrow tables out, by the code that serves over HTTP."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.errors import ContractError, DeclarationError, ReleaseError
from ml.expressions.column import microseconds
from ml.field_types import arrow_type, canonical, encode
from ml.registry.models import ModelVersion
from ml.registry.reports import metrics_of
from ml.release.manifest import current_release, releases_folder
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Signature
from serving.problems import Problem
from serving.releases.release import Release


class Model:
    """A version of a model. Its file is read when it first scores.

    A frame is a pandas or polars DataFrame, an Arrow table, a DuckDB relation, or whatever else speaks Arrow's C stream
    interface. It holds either all features of the model, or the fields of a request: then the features are looked up in the
    current release and computed, as the server does. Other columns are passed over.
    """

    def __init__(self, version: ModelVersion) -> None:
        self.record = version
        self.name, self.version = version.model, version.version

    def __repr__(self) -> str:
        return f"<model {self.record.name}, {self.record.task} by {self.record.estimator}>"

    @property
    def signature(self) -> Signature:
        """What it takes, and how that is made from a request."""
        return self.record.signature

    @property
    def features(self) -> list[str]:
        """The names of its features, in the order of the estimator's inputs."""
        return [feature.name for feature in self.signature.features]

    def metrics(self) -> pa.Table:
        """Its rows of registry.model_metrics in the current release. Raises ReleaseError where there is no release."""
        from eiderdown import connect

        with connect() as connection:
            return metrics_of(connection, self.name, self.version)

    def predict(self, frame: Any) -> np.ndarray:
        """The score of each row, float64, the same bits as in batch and over HTTP.

        Shape (rows,): a binary task's probability, or a regression's value; (rows, classes) of a multiclass task, in the order
        of `signature.classes`. Raises ContractError where columns are missing or of another type, with their names,
        ReleaseError where features have to be looked up and the current release does not carry the version.
        """
        return self._scorer.score(self.features_of(frame))

    def explain(self, frame: Any) -> pa.Table:
        """What each feature adds to the raw score (log-odds, or a regression's value), and last `base_value`.

        A row for each row of the frame, which adds up to its raw score; of a multiclass task, to that of the likeliest
        class. Raises what `predict` does.
        """
        table = self.features_of(frame)
        added = self._scorer.contributions(table)
        if self.signature.classes:
            added = added[np.arange(len(added)), self._scorer.score(table).argmax(axis=1)]
        return pa.table(dict(zip([*self.features, "base_value"], added.T, strict=True)))

    def features_of(self, frame: Any) -> pa.Table:
        """The features of each row, as the model takes them: those of the frame, or looked up. Raises what `predict` does."""
        given = _to_arrow(frame)
        types = {feature.name: feature.type for feature in self.signature.features}
        lacking = [name for name in types if name not in given.column_names]
        if not lacking:
            return _typed(given, types)
        fields = {field.name: field.type for field in self.signature.request}
        required = [field.name for field in self.signature.request if field.required]
        if absent := [name for name in required if name not in given.column_names]:
            raise ContractError(
                f"{self.record.name}: the frame lacks the features {', '.join(lacking)}, and to look them up the request's "
                f"fields {', '.join(absent)}. Give all features, or all required fields of a request."
            )
        at = {self.signature.at: "timestamptz"}
        known = {name: kind for name, kind in (fields | at).items() if name in given.column_names}
        return self._looked_up(_typed(given, known)).select(list(types))

    @functools.cached_property
    def _scorer(self) -> Scorer:
        return self.record.scorer()

    def _looked_up(self, request: pa.Table) -> pa.Table:
        release = current()
        predictor = release.predictors.get((self.name, self.version))
        if predictor is None:
            carried = sorted(number for name, number in release.predictors if name == self.name)
            raise ReleaseError(
                f"the current release, {release.name}, does not carry {self.record.name}, so it cannot look up its features; it "
                f"carries the versions {', '.join(map(str, carried)) or 'none'}. Give all features in the frame, or promote it."
            )
        if not request.num_rows:
            return pa.table(
                {feature.name: pa.array([], arrow_type(feature.type)) for feature in self.signature.features}
            )
        try:
            rows = predictor.check(_instances(request), request.num_rows, release.now())
            return predictor.features(predictor.inputs(rows))
        except Problem as problem:
            raise _as_error(problem) from None


def stored_features(view: str, keys: Any) -> pa.Table:
    """What eiderdown.features answers."""
    release = current()
    online = release.view(view)
    if online is None:
        said = (
            "is computed from the request, so nothing of it is stored" if release.is_computed(view) else "is not there"
        )
        raise DeclarationError(
            f"the feature view '{view}' {said}; the views of the current release are {', '.join(release.views) or 'none'}."
        )
    given = _to_arrow(keys)
    if absent := [name for name in online.keys.types if name not in given.column_names]:
        raise ContractError(f"{online.released.name}: the frame lacks {', '.join(absent)}, of the view's key; add it.")
    typed = _typed(given, online.keys.types)
    try:
        checked = online.keys.check(_instances(typed), "keys", typed.num_rows) if typed.num_rows else []
    except Problem as problem:
        raise _as_error(problem) from None
    now = release.now()
    found = online.find([tuple(key) for key in checked], [now] * len(checked), [microseconds(now)] * len(checked))
    is_present = pa.array([status == "present" for status in found.statuses])
    columns = {name: typed.column(name) for name in online.keys.types}
    moments = [online.event_at(found, number) for number in range(len(checked))]
    columns["event_at"] = pa.array(moments, arrow_type("timestamptz"))
    for name in online.released.columns:
        stored = online.stored(found, name)
        columns[name] = pc.if_else(is_present, stored, pa.nulls(len(stored), stored.type))
    columns[f"{online.released.name}_status"] = pa.array(found.statuses, pa.string())
    return pa.table(columns)


def current() -> Release:
    """The current release as the server holds it. Raises ReleaseError where there is none, or it does not load."""
    folder = releases_folder().resolve()
    return _load(folder / current_release(folder))


@functools.lru_cache(maxsize=1)
def _load(folder: Path) -> Release:
    # A release's name is its content, so what was loaded under a name stays right.
    return Release(folder)


def _to_arrow(frame: Any) -> pa.Table:
    try:
        return pa.table(frame)
    except (TypeError, ValueError, pa.ArrowInvalid) as error:
        raise ContractError(
            f"a {type(frame).__name__} is no frame that can be read ({error}); give a pandas or polars DataFrame, an Arrow "
            "table or a DuckDB relation."
        ) from None


def _typed(table: pa.Table, types: dict[str, str]) -> pa.Table:
    """The columns of some names, with the types that they are declared with. Raises ContractError with the column."""
    columns = {}
    for name, sql_type in types.items():
        column, wanted = table.column(name), arrow_type(sql_type)
        remedy = "cast it"
        try:
            if (
                pa.types.is_timestamp(wanted)
                and wanted.tz
                and pa.types.is_timestamp(column.type)
                and not column.type.tz
            ):
                remedy = "say of which time zone it is"
                raise pa.ArrowInvalid("times without a zone")
            columns[name] = column.cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ContractError(
                f"the column '{name}' is {column.type} and must be {canonical(sql_type)} ({error}); {remedy}."
            ) from None
    return pa.table(columns)


def _instances(table: pa.Table) -> list[dict[str, Any]]:
    return [{name: encode(value) for name, value in row.items()} for row in table.to_pylist()]


def _as_error(problem: Problem) -> ContractError:
    place = "".join(f" row {part}" if isinstance(part, int) else f" '{part}'" for part in problem.location[1:])
    return ContractError(f"the frame:{place} {problem.message}; correct it, or leave out the row.")
