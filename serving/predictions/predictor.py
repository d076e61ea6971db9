"""Predictions of one model version: look-up, request-time features, score. What can be decided before is, when it is loaded."""

import datetime as dt
import functools
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.errors import ArtifactError, ReleaseError
from ml.expressions.column import Column, to_arrow
from ml.expressions.types import parse_type
from ml.field_types import arrow_type
from ml.release.gather import Gather, is_gathered
from ml.release.manifest import ReleasedModel
from ml.scoring.canary import check
from ml.scoring.matrix import MatrixOfColumns
from ml.scoring.request_features import RequestFeatures
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Signature
from serving.predictions.given import Given, GivenRows
from serving.problems import Problem
from serving.releases.loaded import LoadedParts
from serving.releases.online_view import Found, OnlineView
from serving.requests.instances import Row, check_moments, fields_of


@dataclass(frozen=True)
class Explanation:
    """What each feature adds to the raw score (log-odds, or a regression's value); of a multiclass task, to the label's."""

    base: float
    contributions: dict[str, float]
    raw_score: float


@dataclass(slots=True)
class Prediction:
    """What one instance got, with what it was made of.

    score: a number, or of a multiclass task the probability of each class, in the order of the signature's classes; label:
    by the threshold of a binary task, or the likeliest class, None of a regression; missing: the feature views that had
    nothing current; features: the values that the estimator took, in the signature's order; valid_until: the last time, in
    microseconds since 1970, at which the same stored features are current.
    """

    score: float | list[float]
    label: bool | str | None
    missing: list[str]
    features: list[Any]
    valid_until: float

    @property
    def status(self) -> str:
        """Whether all views had something."""
        return "incomplete" if self.missing else "ok"


@dataclass(slots=True)
class Inputs:
    """What instances are scored from, in their order.

    columns: the request's fields, stored and request-time features, as far as the model uses them; found: in each view, by
    its name; inexact: the whole numbers that the matrix does not hold, by its row and column.
    """

    columns: dict[str, Column]
    found: list[tuple[str, Found]]
    inexact: list[tuple[int, int, int]]

    def missing(self) -> dict[int, list[str]]:
        """By the row's number, the views that had nothing current for it."""
        missing: dict[int, list[str]] = {}
        for view, found in self.found:
            if found.is_incomplete:
                for number, status in enumerate(found.statuses):
                    if status != "present":
                        missing.setdefault(number, []).append(view)
        return missing


@dataclass(slots=True)
class Stages:
    """When each stage of a batch ended, in seconds of `time.perf_counter`."""

    started: float = 0.0
    looked_up: float = 0.0
    featured: float = 0.0
    scored: float = 0.0


class _LookUp(NamedTuple):
    """How a view is read: the places of its key in a row; the columns that are used; those that are taken as columns, where
    the others are gathered; and what gathers them, with their places in the matrix."""

    view: str
    online: OnlineView
    key: list[int]
    all_used: list[str]
    taken: list[str]
    gather: Gather
    targets: dict[str, int]


class Predictor:
    """Scores rows with one version of a model and a release's stored features. Safe to call from many threads."""

    def __init__(
        self,
        model: ReleasedModel,
        artifact: Path,
        views: dict[str, OnlineView],
        as_of: dt.datetime,
        parts: LoadedParts,
    ) -> None:
        """Load a model, unless it is among the parts. Raises ArtifactError or ReleaseError where it cannot serve."""
        self.released = model
        self.signature = signature = Signature.from_json(model.signature)
        self.fields = fields_of(signature)
        self._as_of = as_of
        load = functools.partial(_load, model, signature)
        self._scorer = parts.part(model.sha256, artifact, load, model.artifact_format, model.signature, model.canary)
        self._request_features = RequestFeatures(signature)
        self._types = {feature.name: arrow_type(feature.type) for feature in signature.features}
        self._kinds = {feature.name: parse_type(feature.type) for feature in signature.features}
        self.views: list[OnlineView] = []
        self._plan_columns(views)

    def _plan_columns(self, views: dict[str, OnlineView]) -> None:
        """Which fields become columns, and which columns of each view are gathered or taken, with the places of its key."""
        names = list(self.fields.types)
        places = {feature.name: place for place, feature in enumerate(self.signature.features)}
        numbers = {feature.name for feature in self.signature.features if feature.categories is None}
        read = self._request_features.reads
        used = {name.lower() for name in places} | read
        self._at = names.index(self.signature.at)
        self._columns = [
            (place, name, arrow_type(sql_type))
            for place, (name, sql_type) in enumerate(self.fields.types.items())
            if name.lower() in used
        ]
        gathered: set[str] = set()
        self._look_ups: list[_LookUp] = []
        for view in self.signature.views:
            if view.name not in views:
                raise ReleaseError(
                    f"{self.released.name}: the release lacks the feature view {view.name}; publish again."
                )
            online = views[view.name]
            all_used = [name for name in view.features if name.lower() in used]
            arrays = {name: online.file.table.column(name) for name in all_used if name in numbers}
            targets = {name: places[name] for name, column in arrays.items() if is_gathered(column)}
            gather = Gather([(arrays[name].chunk(0), target) for name, target in targets.items()])
            taken = [name for name in all_used if name not in targets or name.lower() in read]
            key = [names.index(name) for name in view.entity]
            self._look_ups.append(_LookUp(view.view, online, key, all_used, taken, gather, targets))
            gathered |= targets.keys()
            self.views.append(online)
        self._matrix = MatrixOfColumns(self.signature.features, places.keys() - gathered)
        # How the values of a row of the matrix are what they were; a double is already.
        self._python: dict[int, type] = {
            places[name]: bool if pa.types.is_boolean(self._types[name]) else int
            for name in gathered
            if not pa.types.is_floating(self._types[name])
        }
        self._apart = [(place, name) for name, place in places.items() if name not in gathered]

    def warm_up(self) -> list[Row]:
        """A row of nothing but the time of the release, which takes every step of a prediction."""
        row: Row = [None] * len(self.fields.types)
        row[self._at] = self._as_of
        return [row]

    def changes(self) -> int:
        """How many rows were pushed to the model's views that changed something, since the release was loaded."""
        return sum(view.pushed.changes for view in self.views)

    @property
    def reads_time(self) -> bool:
        """Whether a request-time feature reads the prediction time."""
        return self.signature.at.lower() in self._request_features.reads

    def check(self, instances: Any, most: int, now: dt.datetime) -> list[Row]:
        """A request's instances (JSON values) as typed rows, in the order of `fields`.

        now: the prediction time of those that name none. Raises Problem with the instance and the field that is wrong.
        """
        rows = self.fields.check(instances, "instances", most)
        check_moments(rows, self._at, self.signature.at, self._as_of, now)
        return rows

    def inputs(self, rows: list[Row]) -> Inputs:
        """What rows are scored from. Raises ExpressionError for the first row that has no request-time feature."""
        return self._inputs(GivenRows(rows), None, Stages())

    def _inputs(self, given: Given, matrix: npt.NDArray[np.float64] | None, stages: Stages) -> Inputs:
        """matrix: where the numbers that are stored are gathered, in place of making columns of them."""
        columns = {name: given.column(place, arrow) for place, name, arrow in self._columns}
        all_found = []
        inexact: list[tuple[int, int, int]] = []
        for look_up in self._look_ups:
            found = given.find(look_up.online, look_up.key)
            if matrix is not None:
                inexact += look_up.online.gather(found, look_up.gather, look_up.targets, matrix)
            columns |= look_up.online.take(found, look_up.all_used if matrix is None else look_up.taken)
            all_found.append((look_up.view, found))
        stages.looked_up = time.perf_counter()
        self._request_features.compute(columns, len(given))
        return Inputs(columns, all_found, inexact)

    def predict(self, rows: list[Row], stages: Stages) -> list[Prediction]:
        """What `predict_given` does, of rows."""
        return self.predict_given(GivenRows(rows), stages)

    def predict_given(self, given: Given, stages: Stages) -> list[Prediction]:
        """One prediction for each instance, in order. Raises ExpressionError for the first that has no request-time feature."""
        stages.started = time.perf_counter()
        matrix = np.empty((len(given), len(self._types)))
        inputs = self._inputs(given, matrix, stages)
        self._matrix.fill(inputs.columns, matrix)
        stages.featured = time.perf_counter()
        scores = self._scorer.score_matrix(matrix)
        stages.scored = time.perf_counter()
        missing = inputs.missing()
        none: list[str] = []
        valid_until = [math.inf] * len(given)
        for _, found in inputs.found:
            valid_until = list(map(min, valid_until, found.valid_until))
        return [
            Prediction(score, label, missing.get(number, none), values, until)
            for number, (score, label, values, until) in enumerate(
                zip(scores.tolist(), self._labels(scores), self._values(matrix, inputs), valid_until, strict=True)
            )
        ]

    def _values(self, matrix: npt.NDArray[np.float64], inputs: Inputs) -> list[list[Any]]:
        """The features of each row as Python has them; a number that is missing may be NaN."""
        rows: list[list[Any]] = matrix.tolist()
        for row in rows:
            for place, kind in self._python.items():
                value = row[place]
                row[place] = kind(value) if value == value else None
        for number, place, whole in inputs.inexact:
            rows[number][place] = whole
        for place, name in self._apart:
            for row, value in zip(rows, self._apart_values(name, inputs.columns[name]), strict=True):
                row[place] = value
        return rows

    def explain(self, rows: list[Row]) -> list[Explanation]:
        """An explanation for each row, in order. Raises what `predict` does."""
        table = self.features(self.inputs(rows))
        contributions, raw = self._scorer.contributions(table), self._scorer.raw_score(table)
        if self.signature.classes:
            numbers, likeliest = np.arange(len(rows)), self._scorer.score(table).argmax(axis=1)
            contributions, raw = contributions[numbers, likeliest], raw[numbers, likeliest]
        return [
            Explanation(base, dict(zip(self._types, added, strict=True)), total)
            for (*added, base), total in zip(contributions.tolist(), raw.tolist(), strict=True)
        ]

    def features(self, inputs: Inputs) -> pa.Table:
        """The features that the estimator takes, as a table with the signature's types."""
        return pa.table({name: self._to_arrow(name, inputs.columns[name]) for name in self._types})

    def _to_arrow(self, name: str, column: Column) -> pa.Array:
        kind = self._kinds[name]
        return to_arrow(column, kind) if kind else pa.array(column.values, self._types[name], mask=column.null)

    def _apart_values(self, name: str, column: Column) -> list[Any]:
        """A feature's values as Python has them."""
        arrow = self._types[name]
        if pa.types.is_temporal(arrow) or pa.types.is_decimal(arrow):
            found: list[Any] = self._to_arrow(name, column).to_pylist()
            return found
        found = column.values.tolist()
        if 1 in column.null.tobytes():
            return [None if is_null else value for value, is_null in zip(found, column.null.tolist(), strict=True)]
        return found

    def _labels(self, scores: npt.NDArray[np.float64]) -> list[Any]:
        if self.signature.classes:
            return [self.signature.classes[place] for place in scores.argmax(axis=1)]
        if self.signature.threshold is None:
            return [None] * len(scores)
        found: list[Any] = (scores >= self.signature.threshold).tolist()
        return found


def _load(model: ReleasedModel, signature: Signature, artifact: Path) -> Scorer:
    scorer = Scorer(artifact, model.artifact_format, model.sha256, signature)
    try:
        check(scorer, model.canary)
    except ArtifactError as error:
        raise ArtifactError(f"{model.name}: {error}") from error
    return scorer


def no_features(row: int) -> Problem:
    """What a client is told of an instance whose request-time features have no value."""
    return Problem(422, "its request-time features cannot be computed", ("instances", row))
